"""Outcomes of grid rows against plain loops, and look-ups of raw prices against a search by hand."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from core.realised_price import PRICE_TOLERANCE_MS
from core.times import GRID_STEP_MS, HOUR_MS, MINUTE_MS
from etl.features.feature_grid import FeatureGrid
from etl.features.raw_prices import RAW_KEEP_MS, RawPrices, ceil_grid, floor_grid
from etl.features.targets import ACTIVITY_FLOOR, STEPS, outcomes, reached


def test_outcomes_match_plain_loops() -> None:
    """Activity and moves of every row and horizon, with prices missing and records repeated."""
    rng = np.random.default_rng(0)
    rows, coins = 30, 2
    log_price = np.cumsum(rng.normal(0, 0.01, (rows + STEPS, coins)), axis=0)
    event = GRID_STEP_MS * np.arange(rows + STEPS)[:, None] - rng.integers(0, 60_000, (rows + STEPS, coins))
    log_price[8, 0], log_price[20:24, 1] = np.nan, np.nan
    event[12, 0], log_price[12, 0] = event[11, 0], log_price[11, 0]
    sigma = rng.uniform(0.005, 0.02, (rows, coins))
    found = outcomes(log_price, event, sigma)
    for row in range(rows):
        for coin in range(coins):
            sizes = []
            for ahead in range(1, STEPS + 1):
                a, b = log_price[row + ahead - 1, coin], log_price[row + ahead, coin]
                elapsed = event[row + ahead, coin] - event[row + ahead - 1, coin]
                if elapsed > 0 and not math.isnan(a + b):
                    sizes.append(abs(b - a) * min(max(math.sqrt(GRID_STEP_MS / elapsed), 0.5), 2.0))
                known = len(sizes) >= 0.75 * ahead
                expected = math.log(sum(sizes) / len(sizes) / sigma[row, coin] + ACTIVITY_FLOOR) if known else math.nan
                np.testing.assert_allclose(found.activity[row, coin, ahead - 1], expected, rtol=1e-9)
                move = log_price[row + ahead, coin] - log_price[row, coin]
                np.testing.assert_allclose(found.move[row, coin, ahead - 1], move)


def _irregular_prices(seed: int, hours: int) -> dict[int, float]:
    """Event time → price of polls about a minute apart, with a gap of 40 minutes and half an hour of few polls."""
    rng = np.random.default_rng(seed)
    times = 1_700_006_400_000 + np.cumsum(rng.integers(20_000, 100_000, hours * 60))
    gap = int(times[len(times) // 3])
    few = int(times[len(times) // 2])
    kept = (times < gap) | (times > gap + 40 * MINUTE_MS)
    kept &= (times < few) | (times > few + HOUR_MS // 2) | (np.arange(len(times)) % 6 == 0)
    prices = 100.0 * np.exp(np.cumsum(rng.normal(0, 0.0005, len(times))))
    return dict(zip(times[kept].tolist(), prices[kept].tolist(), strict=True))


def test_the_reach_counts_every_price_within_the_horizon() -> None:
    """Rises and falls of every row and horizon are those of the prices after it, by plain loops over all of them."""
    coins = {f"coin{seed}": _irregular_prices(seed, hours=5) for seed in range(2)}
    grid = FeatureGrid()
    for coin, known in coins.items():
        grid.observe(coin, list(known), list(known.values()))
    end = min(max(known) for known in coins.values())
    for until in (end - 3 * HOUR_MS, end - HOUR_MS, end):
        list(grid.extend(until))
    found = reached(grid.history.log_price, grid.history.extremes)
    finite = np.isfinite(found.rise).sum()
    assert 0.5 < finite / np.isfinite(grid.history.log_price[:-STEPS]).sum() / STEPS < 1
    for row, ts_ms in enumerate(grid.history.ts_ms[:-STEPS].tolist()):
        for column, known in enumerate(coins.values()):
            for ahead in range(1, STEPS + 1):
                steps = [ts_ms + GRID_STEP_MS * step for step in range(1, ahead + 1)]
                priced = sum(any(0 <= step - time <= PRICE_TOLERANCE_MS for time in known) for step in steps)
                past = [time for time in known if 0 <= ts_ms - time <= PRICE_TOLERANCE_MS]
                if not past or priced < 0.75 * ahead:
                    assert math.isnan(found.rise[row, column, ahead - 1])
                    continue
                start = known[max(past)]
                within = [start, *(price for time, price in known.items() if ts_ms < time <= steps[-1])]
                expected = math.log(max(within) / start), math.log(start / min(within))
                rise, fall = found.rise[row, column, ahead - 1], found.fall[row, column, ahead - 1]
                np.testing.assert_allclose((rise, fall), expected, atol=1e-12)


def test_steps_with_several_prices_are_dense() -> None:
    """An hour of polls is dense before and after, an hour of five-minute prices is not."""
    times = 1_700_006_400_000 + np.concatenate(
        [GRID_STEP_MS * np.arange(1, 25), 2 * HOUR_MS + MINUTE_MS * np.arange(1, 121)]
    )
    grid = FeatureGrid()
    grid.observe("bitcoin", times, np.full(len(times), 100.0))
    list(grid.extend(int(times[-1])))
    first = int(np.searchsorted(grid.history.ts_ms, times[0]))
    after = grid.history.extremes.dense_after()[first:, 0]
    assert after.tolist() == [False] * 18 + [True] * (len(after) - 18)
    rows = np.array([first + 23, first + 29, first + 30, first + 47])
    assert grid.history.extremes.dense_before(rows, np.zeros(4, dtype=np.int64)).tolist() == [False, False, True, True]


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4_000), st.floats(0.1, 10)), min_size=1, max_size=60),
    st.lists(st.integers(-100, 5_000), min_size=1, max_size=8),
)
def test_as_of_is_the_last_price_within_the_tolerance(prices: list[tuple[int, int, float]], moments: list[int]) -> None:
    """For every coin and moment: the newest accepted price at or before it, NaN when it is too old."""
    raw = RawPrices()
    accepted: dict[int, list[tuple[int, float]]] = {coin: [] for coin in range(4)}
    for coin, second, price in prices:
        newer = not accepted[coin] or second * 1000 > accepted[coin][-1][0]
        assert raw.append(coin, second * 1000, price) == newer
        if newer:
            accepted[coin].append((second * 1000, price))
    for moment in moments:
        found, event = raw.as_of(np.arange(4), moment * 1000)
        for coin in range(4):
            older = [row for row in accepted[coin] if 0 <= moment * 1000 - row[0] <= PRICE_TOLERANCE_MS]
            assert (event[coin], found[coin]) == older[-1] if older else (event[coin] == -1 and np.isnan(found[coin]))


def test_invalid_prices_are_dropped_and_thinning_changes_no_grid_price() -> None:
    """Zero, negative and non-finite values are dropped; thinning leaves the price of every grid point as it was."""
    raw, whole = RawPrices(), RawPrices()
    ts = np.arange(0, 3 * RAW_KEEP_MS, 37_000)
    price = 1.0 + np.random.default_rng(0).random(len(ts))
    price[[3, 5, 7]] = 0.0, -1.0, np.nan
    raw.append(0, ts, price)
    for part in np.array_split(np.arange(len(ts)), 50):
        whole.append(0, ts[part], price[part])
    assert len(raw) < len(whole) == len(ts) - 3
    points = np.arange(0, int(ts[-1]), GRID_STEP_MS)
    np.testing.assert_array_equal(raw.as_of(0, points)[0], whole.as_of(0, points)[0])
    raw.forget_before(int(ts[-1]) - 3_600_000)
    assert raw.first() is not None
    assert len(raw) == 98
    raw.clear(0)
    assert len(raw) == 0
    assert raw.newest(0) is None


def test_floor_and_ceiling_on_the_grid() -> None:
    """Floor and ceiling agree on a grid point and are 5 minutes apart elsewhere."""
    assert floor_grid(600_000) == ceil_grid(600_000) == 600_000
    assert (floor_grid(600_001), ceil_grid(600_001)) == (600_000, 900_000)
