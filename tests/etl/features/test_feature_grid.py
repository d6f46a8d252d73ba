"""The grid with prices a minute apart: same rows on and off it, however it grows, and nothing looks ahead."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.times import GRID_STEP_MS, HOUR_MS, MINUTE_MS
from etl.arrays import FloatArray, IntArray, RowArray
from etl.features.columns import COIN_FEATURES, FEATURE_NAMES
from etl.features.feature_grid import FeatureGrid
from etl.features.feature_rows import OriginRows
from etl.features.minute_columns import MARKET_MINUTE_FEATURES, MINUTE_FEATURES, MINUTE_SHARE
from etl.features.shared_market import OneShard

START_MS = 1_700_006_400_000
HOURS = 24
"""As much as one call of `observe` keeps at full resolution."""

END_MS = START_MS + HOURS * HOUR_MS
OWN = [FEATURE_NAMES.index(name) for name in (*COIN_FEATURES, *MINUTE_FEATURES)]
MINUTE = [FEATURE_NAMES.index(name) for name in (*MINUTE_FEATURES, *MARKET_MINUTE_FEATURES)]
SHARE = FEATURE_NAMES.index(MINUTE_SHARE)

Prices = dict[str, tuple[IntArray, FloatArray]]


def _market(pace: str, seed: int = 0, hours: int = HOURS) -> Prices:
    """Three coins: prices on every full minute, at uneven times, or now minutes and now five minutes apart."""
    rng = np.random.default_rng(seed)
    market = {}
    for coin in range(3):
        count = hours * 60
        ts = START_MS + MINUTE_MS * np.arange(count)
        price = 100 * np.exp(np.cumsum(rng.standard_t(4, count) * 0.0005 * (coin + 1)))
        if pace != "even":
            ts = ts + rng.integers(0, 55_000, count)
            price = price * np.exp(rng.normal(0, 0.0002, count))
        keep = np.ones(count, dtype=bool)
        if pace == "changing":
            sparse = np.arange(count) // (60 * (coin + 2)) % 2 == 0
            keep = ~sparse | (np.arange(count) % 5 == coin)
            keep[700:730] = False
        market[f"coin{coin}"] = ts[keep], price[keep]
    return market


class _Record(OneShard):
    """Keeps the market's sums."""

    def __init__(self) -> None:
        self.ts_ms: list[int] = []
        self.sums: list[FloatArray] = []

    def add_up(self, ts_ms: IntArray, own: FloatArray) -> FloatArray:
        """The sums of the only shard."""
        self.ts_ms.extend(ts_ms.tolist())
        self.sums.extend(own)
        return own


def _fill(market: Prices, record: _Record | None = None) -> FeatureGrid:
    grid = FeatureGrid(2, record)
    for coin, (ts, price) in market.items():
        grid.observe(coin, ts, price)
    return grid


def _rows(grid: FeatureGrid, until_ms: int) -> dict[int, RowArray]:
    return {int(ts): row for block in grid.extend(until_ms) for ts, row in zip(block.ts_ms, block.x, strict=True)}


def _at(grid: FeatureGrid, origin_ms: int) -> OriginRows:
    return grid.at(np.arange(len(grid.roster)), np.full(len(grid.roster), origin_ms))


@pytest.mark.parametrize("pace", ["even", "uneven", "changing"])
def test_an_origin_on_the_grid_gives_the_row_of_the_grid(pace: str) -> None:
    """Rows as of a grid point, up to two hours behind the grid's end, equal the appended rows to rounding."""
    grid = _fill(_market(pace))
    end = END_MS - GRID_STEP_MS
    rows = _rows(grid, end)
    shares = {float(row[coin, SHARE]) for row in rows.values() for coin in range(3)}
    assert 1.0 in shares
    assert pace != "changing" or len(shares) > 50
    for back in range(0, 25, 4):
        at = _at(grid, end - back * GRID_STEP_MS)
        assert at.usable.all()
        np.testing.assert_allclose(at.x, rows[end - back * GRID_STEP_MS], rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("pace", ["even", "changing"])
def test_growing_step_by_step_gives_the_same_bits_as_all_at_once(pace: str) -> None:
    """Prices fed as they come, with many extensions, yield the very rows of one big extension."""
    market = _market(pace)
    whole = _rows(_fill(market), END_MS)
    grid, fed, found = FeatureGrid(2), dict.fromkeys(market, 0), {}
    for now in range(START_MS + HOUR_MS, END_MS + 1, 7 * MINUTE_MS):
        for coin, (ts, price) in market.items():
            upto = int(np.searchsorted(ts, now, side="right"))
            grid.observe(coin, ts[fed[coin] : upto], price[fed[coin] : upto])
            fed[coin] = upto
        found.update(_rows(grid, now))
    common = sorted(found.keys() & whole.keys())
    assert len(common) > 270
    for point in common:
        np.testing.assert_array_equal(found[point], whole[point])


@pytest.mark.parametrize("pace", ["even", "uneven"])
def test_an_origin_close_to_a_grid_point_has_almost_its_row(pace: str) -> None:
    """Twenty seconds after a grid point: the same minute columns with prices on full minutes, else similar ones."""
    grid = _fill(_market(pace))
    rows = _rows(grid, END_MS - GRID_STEP_MS)
    points = [END_MS - back * GRID_STEP_MS for back in range(1, 25)]
    close = np.stack([np.abs(_at(grid, point + 20_000).x - rows[point]) for point in points])
    far = np.stack([np.abs(rows[point - HOUR_MS] - rows[point]) for point in points])
    long = [FEATURE_NAMES.index(f"minute_log_abs_{n}") for n in (128, 360)]
    assert far[..., MINUTE].mean() > 0.1
    assert close[..., MINUTE].mean() < (0.1 if pace == "uneven" else 1e-6)
    assert close[..., long].max() < 0.1


@settings(max_examples=12)
@given(offset_s=st.integers(0, 299), later=st.floats(0.5, 2.0), pace=st.sampled_from(["even", "uneven", "changing"]))
def test_no_price_after_the_origin_matters(offset_s: int, later: float, pace: str) -> None:
    """Changing every price after an origin, on or off the grid, changes no bit of its row nor of those before it."""
    market = _market(pace, seed=2, hours=8)
    end = START_MS + 6 * HOUR_MS
    origin = end + offset_s * 1000
    changed = {coin: (ts, np.where(ts <= origin, price, price * later)) for coin, (ts, price) in market.items()}
    grids = [_fill(version) for version in (market, changed)]
    before, after = (_rows(grid, end) for grid in grids)
    assert (before[end][:, MINUTE] != 0).any()
    for ts in before:
        np.testing.assert_array_equal(before[ts], after[ts])
    np.testing.assert_array_equal(_at(grids[0], origin).x, _at(grids[1], origin).x)


def test_a_late_coin_gets_the_minutes_of_one_that_was_there_at_first() -> None:
    """A history that arrives after the grid has begun gives the same own columns, at its end and in every row."""
    market = _market("changing")
    together = _fill(market)
    whole = _rows(together, END_MS)
    grid = _fill({coin: prices for coin, prices in market.items() if coin != "coin2"})
    for _ in grid.extend(END_MS):
        pass
    grid.replace("coin2", *market["coin2"])
    found = _rows(grid, END_MS)
    assert len(found) > 250
    for ts, row in found.items():
        np.testing.assert_array_equal(row[0, OWN], whole[ts][2, OWN])
    for origin in (END_MS, END_MS - 7 * GRID_STEP_MS + 100_000):
        np.testing.assert_array_equal(_at(grid, origin).x[2, OWN], _at(together, origin).x[2, OWN])


def test_hourly_prices_that_come_days_late_give_the_rows_of_those_that_were_there_at_first() -> None:
    """The grid keeps the coin's own prices, which nothing else has by then, and its averages reach back further."""
    market, hours = _market("even", hours=46), START_MS - HOUR_MS * np.arange(1, 200)[::-1]
    prices = 100 * np.exp(np.cumsum(np.random.default_rng(3).normal(0, 0.004, len(hours))))
    early, late = _fill(market), _fill(market)
    early.observe_hourly("coin0", hours, prices)
    end = START_MS + 46 * HOUR_MS - GRID_STEP_MS
    for grid in (early, late):
        _rows(grid, end)
    before, known = _at(late, end).x[0, OWN], late.history.log_price.copy()
    late.observe_hourly("coin0", hours, prices)
    _rows(late, end)
    np.testing.assert_array_equal(late.history.log_price, known)
    after, expected = _at(late, end).x[0, OWN], _at(early, end).x[0, OWN]
    own = len(COIN_FEATURES)
    np.testing.assert_allclose(after[:own], expected[:own], rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(after[own:], expected[own:], atol=0.05)  # minutes of before 26 hours are gone
    assert (after != before).any()


@pytest.mark.parametrize("hours", [0.5, 1.2, 3.0, 5.9])
def test_an_origin_ahead_of_the_grid_has_a_row(hours: float) -> None:
    """While the grid waits, rows as of later origins stay finite and close to those that the grid would give."""
    market = _market("even")
    end = END_MS - 6 * HOUR_MS
    origin = end + round(hours * 12) * GRID_STEP_MS
    waiting, grown = _fill(market), _fill(market)
    for grid, until in ((waiting, end), (grown, origin)):
        for _ in grid.extend(until):
            pass
    found, expected = (_at(grid, origin) for grid in (waiting, grown))
    assert found.usable.all()
    np.testing.assert_array_equal(found.vol_fast, expected.vol_fast)
    own = [FEATURE_NAMES.index(name) for name in MINUTE_FEATURES]
    np.testing.assert_allclose(found.x[:, own], expected.x[:, own], atol=0.2)


def test_the_price_at_the_origin_is_the_stored_one() -> None:
    """It keeps every bit: what the API shows as the price of a forecast is in the price history too."""
    market = _market("uneven")
    grid = _fill(market)
    _rows(grid, END_MS - HOUR_MS)
    origin_ms = END_MS - HOUR_MS + 37_000
    stored = [price[np.searchsorted(ts, origin_ms, side="right") - 1] for ts, price in market.values()]
    assert _at(grid, origin_ms).price.tolist() == stored


@pytest.mark.parametrize("pace", ["even", "changing"])
def test_a_grid_that_catches_up_goes_on_with_the_same_bits(pace: str) -> None:
    """After points over the recorded market, without rows, rows and origins are those of a grid that had all rows."""
    market, record, behind = _market(pace), _Record(), END_MS - 2 * HOUR_MS
    whole = _fill(market, record)
    _rows(whole, behind)
    late, blocks = _fill(market), 0

    def count() -> None:
        nonlocal blocks
        blocks += 1

    late.catch_up(np.array(record.ts_ms), np.array(record.sums), count)
    assert blocks > 1
    for back in (0, 7, 24):
        origin_ms = behind - back * GRID_STEP_MS - 70_000
        np.testing.assert_array_equal(_at(late, origin_ms).x, _at(whole, origin_ms).x)
    rows, expected = _rows(late, END_MS - GRID_STEP_MS), _rows(whole, END_MS - GRID_STEP_MS)
    assert rows.keys() == expected.keys()
    for ts_ms, row in rows.items():
        np.testing.assert_array_equal(row, expected[ts_ms])
