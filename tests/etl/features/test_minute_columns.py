"""Minute columns in feature rows: when they speak, what noise and coarse prices do to them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from core.times import HOUR_MS, MINUTE_MS
from etl.arrays import FloatArray, IntArray, RowArray
from etl.features.columns import FEATURE_NAMES
from etl.features.feature_grid import FeatureGrid
from etl.features.minute_columns import (
    MARKET_MINUTE_FEATURES,
    MINUTE_FEATURES,
    MINUTE_SHARE,
    MINUTE_SIGNAL,
    market_minute_features,
    market_minute_sums,
)

START_MS = 1_700_006_400_000
SIGMA = 0.0008
COLUMNS = [FEATURE_NAMES.index(name) for name in (*MINUTE_FEATURES, *MARKET_MINUTE_FEATURES)]
SHARE = MINUTE_FEATURES.index(MINUTE_SHARE)
SIGNAL = MINUTE_FEATURES.index(MINUTE_SIGNAL)


def _times(*spans: tuple[float, int]) -> IntArray:
    """Times of polls, a few seconds uneven: for each span, so many hours every so many seconds."""
    spacing = np.concatenate([np.full(round(hours * 3600 / every_s), every_s) for hours, every_s in spans])
    planned = START_MS + 20_000 + 1000 * np.cumsum(spacing)
    return np.asarray(planned + np.random.default_rng(0).integers(0, 7_000, len(planned)))


def _walks(ts_ms: IntArray, coins: int, noise: float = 0.0, seed: int = 1) -> FloatArray:
    """Prices (n, coins) of random walks at some times, with noise in every quote."""
    rng = np.random.default_rng(seed)
    minutes = np.diff(ts_ms, prepend=ts_ms[0])[:, None] / MINUTE_MS
    steps = rng.normal(0, SIGMA, (len(ts_ms), coins)) * np.sqrt(minutes)
    return np.asarray(100 * np.exp(np.cumsum(steps, axis=0) + rng.normal(0, noise, steps.shape)))


def _columns(ts_ms: IntArray, prices: FloatArray) -> tuple[IntArray, RowArray]:
    """Grid points (n,) from the first price on, and the minute columns of the rows there (n, coins, columns)."""
    grid = FeatureGrid(2)
    points, rows = [], []
    for now in range(int(ts_ms[0]), int(ts_ms[-1]) + 12 * HOUR_MS, 12 * HOUR_MS):
        fresh = (ts_ms > now - 12 * HOUR_MS) & (ts_ms <= now)
        for coin in range(prices.shape[1]):
            grid.observe(f"coin{coin}", ts_ms[fresh], prices[fresh, coin])
        for block in grid.extend(min(now, int(ts_ms[-1]))):
            points.append(block.ts_ms)
            rows.append(block.x[..., COLUMNS])
    ts = np.concatenate(points)
    return ts[ts >= ts_ms[0]], np.concatenate(rows)[ts >= ts_ms[0]]


def _share(*spans: tuple[float, int]) -> Callable[[float], float]:
    """A function from hours to the share of the row there, for one coin polled so."""
    ts_ms = _times(*spans)
    points, rows = _columns(ts_ms, _walks(ts_ms, 1))
    return lambda hours: float(rows[np.searchsorted(points, START_MS + hours * HOUR_MS), 0, SHARE])


def test_five_minute_prices_say_nothing_of_minutes() -> None:
    """With a price every five minutes all minute columns of all rows are 0, the market's too."""
    ts_ms = _times((20, 300))
    _, rows = _columns(ts_ms, _walks(ts_ms, 3))
    assert len(rows) > 200
    np.testing.assert_array_equal(rows, 0.0)


@pytest.mark.parametrize("every_s", [30, 60])
def test_polls_a_minute_apart_speak_in_full(every_s: int) -> None:
    """After three hours of polls the share is 1 and stays there, and every other column says something."""
    ts_ms = _times((20, every_s))
    points, rows = _columns(ts_ms, _walks(ts_ms, 2))
    late = rows[points > START_MS + 3 * HOUR_MS]
    assert (late[..., SHARE] == 1.0).all()
    assert (late.std(axis=(0, 1)) > 0.001).sum() == late.shape[-1] - 1


def test_when_polls_slow_down_the_share_falls() -> None:
    """From polls every minute to one every five: in full before, nothing after some hours, never rising again."""
    share = _share((6, 60), (12, 300))
    assert share(6.0) == 1.0
    falling = [share(6.0 + hours) for hours in np.arange(0, 6, 0.5)]
    assert falling == sorted(falling, reverse=True)
    assert share(12.0) == 0.0


def test_when_polls_start_after_a_back_fill_the_share_rises() -> None:
    """From 5-minute prices to polls every minute: nothing before, in full within two hours, never falling again."""
    share = _share((20, 300), (6, 60))
    assert share(20.0) == 0.0
    rising = [share(20.0 + hours) for hours in np.arange(0, 2.5, 0.25)]
    assert rising == sorted(rising)
    assert share(22.0) == 1.0


def test_columns_do_not_depend_on_the_size_of_the_moves() -> None:
    """A coin with a third of another's moves has the same columns: they are in units of its own day."""
    ts_ms = _times((30, 60))
    log_price = np.log(_walks(ts_ms, 1)[:, 0])
    prices = np.exp(np.stack([log_price, log_price / 3], axis=1))
    _, rows = _columns(ts_ms, prices)
    np.testing.assert_allclose(rows[-50:, 0], rows[-50:, 1], atol=0.01)


def test_a_burst_shows_at_once_in_the_short_averages() -> None:
    """Three minutes of five times the moves raise the shortest averages by far and the longest ones hardly."""
    ts_ms = _times((30, 60))
    calm = _walks(ts_ms, 10)
    moves = np.diff(np.log(calm), axis=0, prepend=np.log(calm[:1]))
    lively = calm[0] * np.exp(
        np.cumsum(np.where(np.arange(len(ts_ms))[:, None] >= len(ts_ms) - 3, 5, 1) * moves, axis=0)
    )
    before, after = (_columns(ts_ms, prices)[1][-1].mean(axis=0) for prices in (calm, lively))
    for kind in ("abs", "square"):
        first, last = (MINUTE_FEATURES.index(f"minute_log_{kind}_{n}") for n in (1, 360))
        assert after[first] > before[first] + 0.7
        assert after[last] == pytest.approx(before[last], abs=0.1)


@pytest.mark.parametrize("tick", [0.02, 0.1, 1.0])
def test_coarse_ticks_give_finite_columns(tick: float) -> None:
    """Prices rounded so that most minutes, or nearly all of them, do not move: finite, bounded, and no constant."""
    ts_ms = _times((30, 60))
    prices = np.round(_walks(ts_ms, 5) / tick) * tick
    assert (np.diff(prices, axis=0) == 0).mean() > {0.02: 0.05, 0.1: 0.3, 1.0: 0.9}[tick]
    _, rows = _columns(ts_ms, prices)
    assert np.isfinite(rows).all()
    assert np.abs(rows).max() <= 8
    assert (rows[-1, :, SHARE] == 1.0).all()


def test_a_coin_that_stands_still_gives_finite_columns() -> None:
    """Unchanged values at new times, with or without a move before and after them, give finite columns."""
    ts_ms = _times((30, 60))
    still = np.full((len(ts_ms), 1), 7.0)
    frozen = _walks(ts_ms, 1)
    frozen[600:1500] = frozen[600]
    _, rows = _columns(ts_ms, np.concatenate([still, frozen], axis=1))
    assert np.isfinite(rows).all()


@pytest.mark.parametrize("noise", [0.0, 0.5, 1.0, 2.0])
def test_noise_of_known_size_gives_the_known_signal(noise: float) -> None:
    """With n standard deviations of a minute as noise in every quote the signal is 1 / (1 + 2 n²), over many coins."""
    ts_ms = _times((30, 60))
    _, rows = _columns(ts_ms, _walks(ts_ms, 40, noise * SIGMA))
    assert rows[-1, :, SIGNAL].mean() == pytest.approx(1 / (1 + 2 * noise**2), abs=0.07)


def test_the_markets_mean_is_that_of_members_with_minutes() -> None:
    """Coins without minutes and coins that are no members do not count; without any coin the means are 0."""
    rows = np.zeros((2, 4, len(MINUTE_FEATURES)), dtype=np.float32)
    rows[:, :3] = np.array([1.0, 3.0, 100.0])[:, None]
    rows[..., SHARE] = [0.3, 1.0, 1.0, 0.0]
    member = np.array([[True, True, False, True], [False, False, False, True]])
    found = market_minute_features(market_minute_sums(rows, member))
    np.testing.assert_allclose(found[0], 2.0)
    np.testing.assert_array_equal(found[1], 0.0)
