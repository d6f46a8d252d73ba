"""Half-hours in units of their predicted scale: each one once, equal to a slow recomputation."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from core.forecast_schema import HORIZONS_MIN, SCALED_HOURS_SCHEMA, SCALED_MOVE_COLUMNS
from core.times import DAY_MS, GRID_STEP_MS, HOUR_MS, MINUTE_MS
from etl.features.targets import STEP_ROOTS, STEPS
from model.forecaster.engine import EngineOptions, ForecastEngine
from model.forecaster.prior import Prior
from model.forecaster.scaled_hours import ScaledHours

FloatArray = npt.NDArray[np.float64]
START_MS = 1_700_006_400_000
SMALL = EngineOptions(train_days=2, n_trees=4, min_rows=300)


def _engine(hours: int) -> tuple[ForecastEngine, dict[str, FloatArray], npt.NDArray[np.int64]]:
    """An engine with the prices of two coins and a stablecoin; not advanced yet."""
    rng = np.random.default_rng(1)
    ts_ms = START_MS + GRID_STEP_MS * np.arange(hours * 12)
    sizes = {"bitcoin": 0.001, "solana": 0.002, "tether": 0.00002}
    market = {coin: 100 * np.exp(np.cumsum(rng.normal(0, size, len(ts_ms)))) for coin, size in sizes.items()}
    engine = ForecastEngine(SMALL, Prior.load())
    for coin, price in market.items():
        engine.grid.observe(coin, ts_ms[: 30 * 12], price[: 30 * 12])
    return engine, market, ts_ms


def test_rows_equal_a_slow_recomputation() -> None:
    """Moves from the prices, over the scale that the engine predicted at the half-hour; a static coin's own."""
    engine, market, ts_ms = _engine(hours=40)
    engine.advance(int(ts_ms[30 * 12 - 1]))
    engine.take_rows()
    activity: dict[int, FloatArray] = {}
    expected: dict[tuple[str, int], FloatArray] = {}
    for place in range(30 * 12, len(ts_ms)):
        now_ms = int(ts_ms[place])
        for coin, price in market.items():
            engine.grid.observe(coin, now_ms, price[place])
        before = place - STEPS
        if int(ts_ms[before]) in activity:
            at = engine.grid.at(np.arange(3), np.full(3, ts_ms[before]))
            scale = engine.model.scale(activity[int(ts_ms[before])], at.vol_fast, at.x, ts_ms[[before]])
            own = np.isfinite(scale)
            scale = np.where(own, scale, at.vol_mixed[:, None] * STEP_ROOTS)
            assert own.all(axis=1).tolist() == [True, True, False]
            for coin, price in market.items():
                moves = np.log(price[before + 1 : place + 1] / price[before])
                expected[coin, int(ts_ms[before])] = moves / scale[engine.grid.column(coin)]
        engine.advance(now_ms)
        if now_ms % (30 * MINUTE_MS) == 0:
            at = engine.grid.at(np.arange(3), np.full(3, now_ms))
            activity[now_ms] = engine.model.predict(at.x, np.arange(3), at.usable).activity
        if place % 40 == 0:
            engine.refit(now_ms)
    rows = engine.take_rows()["scaled_hours"]
    assert rows.schema.equals(SCALED_HOURS_SCHEMA)
    found = {
        (row["coin"], round(row["origin"].timestamp() * 1000)): [row[name] for name in SCALED_MOVE_COLUMNS]
        for row in rows.to_pylist()
    }
    assert len(found) == rows.num_rows > 3 * 15
    late = {key: moves for key, moves in found.items() if key in expected}
    assert late.keys() == expected.keys()
    for key, moves in late.items():
        np.testing.assert_allclose(moves, expected[key], rtol=1e-4, atol=1e-6)


def test_no_half_hour_comes_twice() -> None:
    """Neither taking often, nor a repaired coin whose history is computed again, gives a row a second time."""
    engine, market, ts_ms = _engine(hours=36)
    keys: list[tuple[str, object]] = []
    for place in range(30 * 12, len(ts_ms), 7):
        now_ms = int(ts_ms[place])
        for coin, price in market.items():
            engine.grid.observe(coin, ts_ms[: place + 1], price[: place + 1])
        if place % 3 == 0:
            engine.grid.replace("solana", ts_ms[: place + 1], market["solana"][: place + 1])
        engine.advance(now_ms)
        keys += [(row["coin"], row["origin"]) for row in engine.take_rows()["scaled_hours"].to_pylist()]
    assert len(keys) == len(set(keys))
    last = ts_ms[place] - HOUR_MS
    halves = [time for time in ts_ms.tolist() if time <= last and time % (30 * MINUTE_MS) == 0]
    assert {coin for coin, _ in keys} == set(market)
    assert len([coin for coin, _ in keys if coin == "bitcoin"]) >= len(halves) - 1


def test_a_row_needs_all_twelve_outcomes_and_two_weeks_are_kept() -> None:
    """A half-hour with an unknown move is left out; rows that nobody takes are dropped after 14 days."""
    kept = ScaledHours()
    ts_ms = START_MS + GRID_STEP_MS * np.arange(12)
    moves = np.ones((12, 1, len(HORIZONS_MIN)))
    moves[6, 0, -1] = np.nan
    kept.add(ts_ms, np.array([0]), moves)
    assert kept.take(["bitcoin"])["origin"].to_pylist()[0].minute == 0
    assert kept.take(["bitcoin"]).num_rows == 0
    for day in range(1, 30):
        kept.add(ts_ms + day * DAY_MS, np.array([0]), moves)
    assert kept.take(["bitcoin"]).num_rows == 14
