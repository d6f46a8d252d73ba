"""The price feed passes on each price once, repaired histories again, and nothing from the future."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.price_store import Coin, Price, open_reader, open_writer
from core.times import DAY_MS, GRID_STEP_MS, HOUR_MS
from etl.arrays import FloatArray
from etl.features.feature_grid import FeatureGrid
from etl.features.price_feed import PriceFeed, collected

NOW_MS = 1_700_000_100_000
FIRST_MS = NOW_MS - 24 * HOUR_MS
LATER_MS = NOW_MS - 12 * HOUR_MS
COIN = Coin("bitcoin", "btc", "Bitcoin", 1, 1)


def prices(start_ms: int) -> list[Price]:
    """A random walk in 5-minute steps up to now, the same at the same moments wherever it starts."""
    moments = np.arange(FIRST_MS, NOW_MS + 1, GRID_STEP_MS)
    walk = 100 * np.exp(np.cumsum(np.random.default_rng(0).normal(0, 0.002, len(moments))))
    return [Price("bitcoin", int(ts), float(p)) for ts, p in zip(moments, walk, strict=True) if ts >= start_ms]


def hours(after_first: float = 1.0, before_first: float = 1.0) -> list[tuple[int, float]]:
    """A week of hourly prices whose moves are multiplied by one factor before the first price, another after it."""
    moments = NOW_MS - HOUR_MS * np.arange(168)[::-1]
    moves = np.random.default_rng(1).normal(0, 0.007, 168) * np.where(moments < FIRST_MS, before_first, after_first)
    return list(zip(moments.tolist(), (100 * np.exp(np.cumsum(moves))).tolist(), strict=True))


def mixed_volatility(folder: Path, hourly: list[tuple[int, float]]) -> FloatArray:
    """The coin's mixed volatility over the grid, once its store has been read."""
    with open_writer(folder / "crypto.db") as writer, open_reader(folder / "crypto.db") as reader:
        writer.update_coins([COIN])
        writer.track(["bitcoin"])
        writer.store_hourly("bitcoin", hourly)
        grid = FeatureGrid(2)
        feed = PriceFeed(grid, keep_days=2)
        for start_ms in (LATER_MS, FIRST_MS):
            writer.store(prices(start_ms), clock_ms=NOW_MS)
            feed.pull(reader, collected(reader), NOW_MS)
            list(grid.extend(NOW_MS))
    return grid.history.vol_mixed[:, 0]


def test_hourly_prices_never_leak_the_future_into_a_coins_rows(tmp_path: Path) -> None:
    """Hours from the first price on change no row, also where the first price moved back; earlier hours do."""
    for name in ("plain", "wild_after", "wild_before"):
        (tmp_path / name).mkdir()
    plain = mixed_volatility(tmp_path / "plain", hours())
    np.testing.assert_array_equal(mixed_volatility(tmp_path / "wild_after", hours(after_first=20.0)), plain)
    assert not np.array_equal(
        mixed_volatility(tmp_path / "wild_before", hours(before_first=20.0)), plain, equal_nan=True
    )


def test_each_price_is_passed_on_once_and_a_repaired_history_again(tmp_path: Path) -> None:
    """The first pull passes on everything, the next one new prices, one after a back-fill the whole history."""
    whole, late = prices(FIRST_MS), prices(LATER_MS)
    with open_writer(tmp_path / "crypto.db") as writer, open_reader(tmp_path / "crypto.db") as reader:
        writer.update_coins([COIN])
        writer.track(["bitcoin"])
        feed = PriceFeed(FeatureGrid(2), keep_days=2)
        counts = []
        for part in (late[:-2], [], late[-2:], whole):
            writer.store(part, clock_ms=NOW_MS)
            counts.append(feed.pull(reader, collected(reader), NOW_MS))
    assert counts == [len(late) - 2, 0, 2, len(whole)]
    assert feed.origins == {"bitcoin": NOW_MS}


def test_a_coin_whose_prices_are_all_too_old_stays_without_an_origin(tmp_path: Path) -> None:
    """Not only at the first pull: a forecast from its last price would be one of long ago."""
    with open_writer(tmp_path / "crypto.db") as writer, open_reader(tmp_path / "crypto.db") as reader:
        writer.update_coins([COIN])
        writer.store(prices(FIRST_MS))
        feed = PriceFeed(FeatureGrid(2), keep_days=2)
        later_ms = NOW_MS + 3 * DAY_MS
        assert [feed.pull(reader, collected(reader), later_ms) for _ in range(2)] == [0, 0]
        assert feed.origins == {}
        writer.store([Price("bitcoin", later_ms, 100.0)], clock_ms=later_ms)
        assert feed.pull(reader, collected(reader), later_ms) == 1
        assert feed.origins == {"bitcoin": later_ms}


@pytest.mark.parametrize("tracked", [[], ["bitcoin"]])
def test_a_coin_that_is_no_longer_collected_has_no_origin(tmp_path: Path, tracked: list[str]) -> None:
    """Such a coin gets no further forecasts."""
    with open_writer(tmp_path / "crypto.db") as writer, open_reader(tmp_path / "crypto.db") as reader:
        writer.update_coins([COIN])
        writer.track(["bitcoin"])
        writer.store(prices(FIRST_MS), clock_ms=NOW_MS)
        feed = PriceFeed(FeatureGrid(2), keep_days=2)
        feed.pull(reader, collected(reader), NOW_MS)
        writer.track(tracked)
        feed.pull(reader, collected(reader), NOW_MS)
    assert list(feed.origins) == tracked
