"""Features against an oracle in plain loops, on the grid and off it."""

from __future__ import annotations

import itertools
import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.times import DAY_MS, GRID_STEP_MS, HOUR_MS
from etl.arrays import FloatArray
from etl.features import volatility
from etl.features.columns import (
    CLOCK_FEATURES,
    COIN_FEATURES,
    FEATURE_NAMES,
    clock_features,
    market_features,
    market_sums,
)
from etl.features.feature_grid import FeatureGrid
from etl.features.feature_rows import FeatureBlock
from etl.features.minute_volatility import initial_minute_state, mean_minute_return, run_minutes

START_MS = 1_700_000_100_000
Prices = dict[str, list[tuple[int, float]]]


def _market(seed: int, hours: int, coins: int = 3, jitter_ms: int = 60_000, gap: bool = True) -> Prices:
    """Irregular prices about every five minutes; one coin has a gap of 40 minutes and stands still for a while."""
    rng = np.random.default_rng(seed)
    result: Prices = {}
    for coin in range(coins):
        ts = START_MS + GRID_STEP_MS * np.arange(hours * 12) + rng.integers(0, max(jitter_ms, 1), hours * 12)
        price = 100.0 * np.exp(np.cumsum(rng.standard_t(4, hours * 12) * 0.001 * (coin + 1)))
        if gap and coin == 1:
            price[50:56] = price[50]
            ts, price = np.delete(ts, slice(120, 128)), np.delete(price, slice(120, 128))
        result[f"coin{coin}"] = list(zip(ts.tolist(), price.tolist(), strict=True))
    return result


def _fill(prices: Prices, history_days: int = 2) -> FeatureGrid:
    grid = FeatureGrid(history_days)
    for coin, rows in prices.items():
        grid.observe(coin, [ts for ts, _ in rows], [price for _, price in rows])
    return grid


def _blocks(grid: FeatureGrid, until_ms: int) -> dict[int, npt.NDArray[np.float32]]:
    return {int(ts): row for block in grid.extend(until_ms) for ts, row in zip(block.ts_ms, block.x, strict=True)}


def _as_of(rows: list[tuple[int, float]], ts_ms: int) -> tuple[int, float] | None:
    older = [row for row in rows if row[0] <= ts_ms]
    return older[-1] if older and ts_ms - older[-1][0] <= 450_000 else None


def _oracle_averages(rows: list[tuple[int, float]], ts_ms: int) -> dict[str, float]:
    """Exponentially weighted means of one coin in plain Python, from the first price to the moment `ts_ms`."""
    sums = {(kind, n): [0.0, 0.0] for kind in ("square", "abs") for n in volatility.HALF_LIVES}
    sums["square", 72], sums["abs", 72] = [0.01 * 0.0015**2, 0.01], [0.01 * 0.0015, 0.01]
    times = range((rows[0][0] // GRID_STEP_MS - 1) * GRID_STEP_MS, ts_ms + 1, GRID_STEP_MS)
    for earlier, later in itertools.pairwise(times):
        a, b = _as_of(rows, earlier), _as_of(rows, later)
        if a is None or b is None or a[0] == b[0]:
            continue
        factor = min(max(math.sqrt(GRID_STEP_MS / (b[0] - a[0])), 0.5), 2.0)
        r = math.log(b[1] / a[1]) * factor
        day = sums["square", 288]
        sigma = math.sqrt(
            max(sums["square", 72][0] / sums["square", 72][1], 0.01 * day[0] / day[1] if day[1] else 0.0, 1e-12)
        )
        size = min(abs(r), 20 * sigma)
        for (kind, n), pair in sums.items():
            rate = 1 - 2 ** (-1 / n)
            pair[0] += rate * ((size * size if kind == "square" else size) - pair[0])
            pair[1] += rate * (1 - pair[1])
    fast, day = sums["square", 72], sums["square", 288]
    result = {"sigma": math.sqrt(max(fast[0] / fast[1], 0.01 * day[0] / day[1]))}
    for n in volatility.HALF_LIVES:
        square, absolute = sums["square", n], sums["abs", n]
        result[f"log_square_{n}"] = 0.5 * math.log(square[0] / square[1] / result["sigma"] ** 2 + 1e-4)
        result[f"log_abs_{n}"] = math.log(absolute[0] / absolute[1] / result["sigma"] + 0.02)
    return result


def _oracle(rows: list[tuple[int, float]], ts_ms: int) -> dict[str, float]:
    result = _oracle_averages(rows, ts_ms)
    sigma = result.pop("sigma")
    result = {name: min(max(value, -4.0), 4.0) for name, value in result.items()}
    here = _as_of(rows, ts_ms)
    assert here is not None
    for lag in (1, 2, 3, 6, 12, 24, 48, 96, 288):
        there = _as_of(rows, ts_ms - lag * GRID_STEP_MS)
        move = 0.0 if there is None else math.log(here[1] / there[1]) / math.sqrt(lag) / sigma
        result[f"move_{lag}"] = min(max(move, -8.0), 8.0)
        result[f"abs_move_{lag}"] = min(abs(move), 8.0)
    for bars in (3, 6, 12, 24, 72, 144, 288):
        seen = [_as_of(rows, ts_ms - lag * GRID_STEP_MS) for lag in range(bars + 1)]
        logs = [math.log(row[1]) for row in seen if row is not None]
        result[f"range_{bars}"] = min(math.log((max(logs) - min(logs)) / math.sqrt(bars) / sigma + 0.05), 4.0)
    return result


@pytest.mark.parametrize("hours_in", [5, 13, 27, 31])
def test_grid_rows_match_the_slow_oracle(hours_in: int) -> None:
    """Every column of every coin's grid row equals the plain-Python computation over that coin's raw prices."""
    prices = _market(seed=7, hours=32)
    rows = _blocks(_fill(prices), START_MS + 32 * 12 * GRID_STEP_MS)
    ts = (START_MS // GRID_STEP_MS + 1 + hours_in * 12) * GRID_STEP_MS
    for column, (_, raw) in enumerate(prices.items()):
        expected = _oracle(raw, ts)
        found = dict(zip(FEATURE_NAMES, rows[ts][column].tolist(), strict=True))
        assert {name: found[name] for name in expected} == pytest.approx(expected, abs=2e-4)


def test_an_origin_on_the_grid_gives_the_row_of_the_grid() -> None:
    """Rows as of a grid point, computed from raw prices, equal the appended grid row to rounding."""
    prices = _market(seed=3, hours=40)
    end = (START_MS // GRID_STEP_MS + 39 * 12) * GRID_STEP_MS
    grid = _fill(prices)
    rows = _blocks(grid, end)
    for back in (0, 1, 7, 24):
        origin = np.full(3, end - back * GRID_STEP_MS)
        at = grid.at(np.arange(3), origin)
        assert at.usable.all()
        np.testing.assert_allclose(at.x, rows[end - back * GRID_STEP_MS], rtol=1e-6, atol=1e-9)


def test_growing_step_by_step_gives_the_same_bits_as_all_at_once() -> None:
    """Feeding prices as they come and extending often yields the very rows of one big extension."""
    prices = _market(seed=5, hours=30)
    end = (START_MS // GRID_STEP_MS + 29 * 12) * GRID_STEP_MS
    whole = _blocks(_fill(prices), end)
    grid, fed, found = FeatureGrid(2), dict.fromkeys(prices, 0), {}
    for now in range(START_MS + 3_600_000, end + 1, 7 * 60_000):
        for coin, rows in prices.items():
            fresh = [row for row in rows[fed[coin] :] if row[0] <= now]
            fed[coin] += len(fresh)
            grid.observe(coin, [ts for ts, _ in fresh], [price for _, price in fresh])
        found.update(_blocks(grid, now))
    common = sorted(found.keys() & whole.keys())
    assert len(common) > 300
    for ts in common:
        np.testing.assert_array_equal(found[ts], whole[ts])


@settings(max_examples=25, deadline=None)
@given(offset_s=st.integers(0, 299), later=st.floats(0.5, 2.0))
def test_no_price_after_the_origin_matters(offset_s: int, later: float) -> None:
    """Changing every price after an origin, on or off the grid, changes no bit of its row."""
    prices = _market(seed=11, hours=30)
    end = (START_MS // GRID_STEP_MS + 28 * 12) * GRID_STEP_MS
    origin = end + offset_s * 1000
    changed = {
        coin: [(ts, price if ts <= origin else price * later) for ts, price in rows] for coin, rows in prices.items()
    }
    found = []
    for version in (prices, changed):
        grid = _fill(version)
        for _ in grid.extend(end):
            pass
        found.append(grid.at(np.arange(3), np.full(3, origin)))
    np.testing.assert_array_equal(found[0].x, found[1].x)
    np.testing.assert_array_equal(found[0].vol_fast, found[1].vol_fast)


def test_a_coin_that_joins_late_gets_its_rows_over_the_time_already_covered() -> None:
    """A coin whose back-fill arrives after the grid has begun ends with the same row as one that was there at first."""
    prices = _market(seed=9, hours=25)
    end = (START_MS // GRID_STEP_MS + 24 * 12) * GRID_STEP_MS
    together = _fill(prices)
    list(together.extend(end))
    grid = FeatureGrid(2)
    for coin in ("coin0", "coin1"):
        grid.observe(coin, *zip(*prices[coin], strict=True))
    list(grid.extend(end))
    grid.replace("coin2", *zip(*prices["coin2"], strict=True))
    late: list[FeatureBlock] = list(grid.extend(end))
    own = len(COIN_FEATURES)
    assert sum(int(block.usable.sum()) for block in late) > 100
    np.testing.assert_array_equal(
        grid.at(np.array([2]), np.array([end])).x[:, :own], together.at(np.array([2]), np.array([end])).x[:, :own]
    )
    assert not any(block.usable.any() for block in grid.extend(end))


def test_stablecoins_and_stale_feeds_are_static() -> None:
    """A volatility of half a basis point, a price that never moves, and one that moves in rare leaps are static."""
    rng = np.random.default_rng(1)
    rows = 400
    ts = START_MS + GRID_STEP_MS * np.arange(rows)
    grid = FeatureGrid(2)
    grid.observe("ordinary", ts, 10 * np.exp(np.cumsum(rng.normal(0, 0.002, rows))))
    grid.observe("stable", ts, 1 + rng.normal(0, 0.00003, rows))
    grid.observe("stale", ts, np.full(rows, 5.0))
    grid.observe("leaping", ts, 5 * np.exp(0.01 * (np.arange(rows) // 10 % 2)))
    list(grid.extend(int(ts[-1])))
    at = grid.at(np.arange(4), np.full(4, ts[-1]))
    assert at.static.tolist() == [False, True, True, True]
    assert at.usable.tolist() == [True, False, False, False]
    assert np.isfinite(at.x).all()


def test_an_origin_far_behind_the_grid_has_no_row_but_a_volatility() -> None:
    """An origin two hours behind the grid's end has its row; an older one has only the grid's last volatility."""
    prices = _market(seed=17, hours=30)
    end = (START_MS // GRID_STEP_MS + 29 * 12) * GRID_STEP_MS
    grid = _fill(prices)
    list(grid.extend(end))
    near, far = (grid.at(np.array([0]), np.array([end - back])) for back in (2 * HOUR_MS, 3 * HOUR_MS))
    assert near.usable.all()
    assert not far.usable.any()
    assert far.vol_fast[0] > 0
    assert np.isfinite(far.x).all()


def test_hourly_prices_seed_the_slow_averages_and_nothing_else() -> None:
    """Before its own first prices a coin's volatility is that of its hourly prices; that alone makes no row usable."""
    rng = np.random.default_rng(2)
    hours = START_MS - 3_600_000 * np.arange(168, 0, -1)
    hourly = 7 * np.exp(np.cumsum(rng.normal(0, 0.004 * math.sqrt(12), 168)))
    ts = START_MS + GRID_STEP_MS * np.arange(30)
    price = hourly[-1] * np.exp(np.cumsum(rng.normal(0, 0.004, 30)))
    seeded, plain = FeatureGrid(2), FeatureGrid(2)
    seeded.observe_hourly("coin", hours, hourly)
    for grid in (seeded, plain):
        grid.observe("coin", ts[:2], price[:2])
        list(grid.extend(int(ts[1])))
    start, guess = (grid.at(np.array([0]), ts[1:2]) for grid in (seeded, plain))
    assert 0.002 < start.vol_mixed[0] < 0.008
    assert start.vol_fast[0] == pytest.approx(0.004, rel=0.4)
    assert guess.vol_fast[0] < 0.004
    seeded.observe("coin", ts[2:], price[2:])
    assert not any(block.usable.any() for block in seeded.extend(int(ts[-1])))


def test_the_clock_of_a_row_is_that_of_its_price_record() -> None:
    """With records four minutes old at every grid point, the place within the hour is four minutes back as well."""
    ts = START_MS // 3_600_000 * 3_600_000 + 60_000 + GRID_STEP_MS * np.arange(30)
    grid = FeatureGrid(2)
    grid.observe("coin", ts, np.linspace(10, 11, 30))
    blocks = list(grid.extend(int(ts[-1])))
    row = blocks[-1].x[-1, 0]
    place = int(ts[-2] // GRID_STEP_MS) % 12
    minute_weights = row[[FEATURE_NAMES.index(f"minute_{5 * n:02d}") for n in range(12)]]
    assert minute_weights[place] == pytest.approx(0.8)
    assert minute_weights[(place + 1) % 12] == pytest.approx(0.2)
    assert minute_weights.sum() == pytest.approx(1.0)


def test_the_weekend_is_saturday_and_sunday_in_utc() -> None:
    """From Friday's last millisecond to Monday's first, only what lies between is the weekend."""
    saturday = 1_717_200_000_000  # 2024-06-01T00:00Z
    moments = np.array([saturday - 1, saturday, saturday + 2 * DAY_MS - 1, saturday + 2 * DAY_MS])
    weekend = clock_features(moments)[:, CLOCK_FEATURES.index("weekend")]
    assert weekend.tolist() == [0.0, 1.0, 1.0, 0.0]


def test_the_markets_mean_is_that_of_its_members() -> None:
    """A coin that is no member neither moves the mean nor dilutes it; a market without members stands still."""
    columns = np.arange(1, 4, dtype=np.float32)[None, :, None] * np.ones((2, 3, len(COIN_FEATURES)), np.float32)
    means = market_features(market_sums(columns, np.array([[True, True, False], [False, False, False]])))
    np.testing.assert_allclose(means[0], 1.5)
    np.testing.assert_array_equal(means[1], 0.0)


def test_a_single_return_counts_at_most_twenty_volatilities() -> None:
    """A crash in one step moves the averages no further than a return of twenty fast volatilities."""
    state = volatility.initial_state(1)
    for r in np.random.default_rng(3).normal(0, 0.001, 300):
        state = volatility.move_on(state, np.array([[r]]))
    limit = 20 * volatility.vol_fast(state)[None]
    np.testing.assert_array_equal(volatility.move_on(state, -50 * limit), volatility.move_on(state, limit))
    assert (volatility.move_on(state, limit) > volatility.move_on(state, limit / 2)).any()


def test_a_single_minute_counts_at_most_twenty_mean_ones() -> None:
    """A crash within a minute moves the averages no further than a return of twenty times the mean of a day."""
    log_price = np.cumsum(np.random.default_rng(3).normal(0, 0.001, (300, 1)), axis=0)
    event_ms = START_MS + 60_000 * np.arange(300)[:, None]
    state = run_minutes(initial_minute_state(1), log_price, event_ms, np.array([np.nan]), np.array([-1]))[-1]

    def after(move: FloatArray) -> FloatArray:
        return run_minutes(state, log_price[-1:] + move, event_ms[-1:] + 60_000, log_price[-1], event_ms[-1])

    limit = 20 * mean_minute_return(state)
    np.testing.assert_allclose(after(-50 * limit), after(limit), rtol=1e-9)
    assert (after(limit) > after(limit / 2)).any()


def test_states_move_over_many_returns_as_over_one_at_a_time() -> None:
    """Bit for bit, with jumps, gaps and coins that are new, on the 5-minute grid and on that of minutes."""
    rng = np.random.default_rng(5)
    r = rng.normal(0, 0.001, (400, 6)) * rng.choice([1, 100], (400, 6), p=[0.98, 0.02])
    r[rng.random(r.shape) < 0.1] = np.nan
    event_ms = np.maximum.accumulate(60_000 * np.arange(401)[:, None] * (rng.random((401, 6)) < 0.7), axis=0)
    log_price = np.concatenate([np.zeros((1, 6)), np.nancumsum(r, axis=0)])
    singly = volatility.initial_state(6), initial_minute_state(6)
    together = volatility.move_one_by_one(singly[0], r)
    by_minute = run_minutes(singly[1], log_price[1:], event_ms[1:], log_price[0], event_ms[0])
    for row in range(len(r)):
        at = slice(row + 1, row + 2)
        minutes = run_minutes(singly[1], log_price[at], event_ms[at], log_price[row], event_ms[row])
        singly = volatility.move_one_by_one(singly[0], r[row : row + 1])[0], minutes[0]
        np.testing.assert_array_equal(together[row], singly[0])
        np.testing.assert_array_equal(by_minute[row], singly[1])


def test_a_repaired_coin_returns_only_new_rows() -> None:
    """Rows handed out once are rebuilt in silence; those that the repair made possible come."""
    prices = _market(seed=13, hours=30)
    end = (START_MS // GRID_STEP_MS + 29 * 12) * GRID_STEP_MS
    gap = (START_MS + 20 * HOUR_MS, START_MS + 21 * HOUR_MS)
    grid = FeatureGrid(2)
    for coin, rows in prices.items():
        grid.observe(coin, *zip(*(row for row in rows if not gap[0] <= row[0] < gap[1]), strict=True))
    seen = {int(ts) for block in grid.extend(end) for ts in block.ts_ms[block.usable[:, 0]]}
    grid.replace("coin0", *zip(*prices["coin0"], strict=True))
    fresh = [int(ts) for block in grid.extend(end) for ts in block.ts_ms[block.usable[:, 0]]]
    assert 8 <= len(fresh) <= 13
    assert not seen & set(fresh)
    assert all(gap[0] <= ts <= gap[1] + GRID_STEP_MS for ts in fresh)
