"""The reach: quantiles of what was reached, never less than where the price ends, true for a random walk."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from core.answers.touch import touching
from core.forecast_schema import HORIZONS_MIN, QUANTILES, REACH_LEVELS
from core.times import DAY_MS, GRID_STEP_MS, MINUTE_MS
from etl.features.targets import STEPS
from model.forecaster.calibration import generic_shape
from model.forecaster.engine import EngineOptions, ForecastEngine
from model.forecaster.reach import ReachCalibration, consistent_reach

FloatArray = npt.NDArray[np.float64]
MONDAY_MS = 1_700_438_400_000
STEP = 0.001


@given(
    arrays(np.float64, (2, STEPS, len(REACH_LEVELS)), elements=st.floats(0, 0.1)),
    arrays(np.float64, (2, STEPS, len(QUANTILES)), elements=st.floats(-0.1, 0.1)),
)
def test_the_reach_is_monotone_and_never_below_the_quantiles_of_the_end(reach: FloatArray, ends: FloatArray) -> None:
    """Whatever was measured, the published reach grows over levels and horizons and covers the end on both sides."""
    ends = np.sort(ends, axis=-1)
    found = consistent_reach(reach, ends)
    assert (found >= reach).all()
    assert (np.diff(found, axis=-1) >= 0).all()
    assert (np.diff(found, axis=-2) >= 0).all()
    for place, level in enumerate(REACH_LEVELS):
        upper, lower = ends[..., QUANTILES.index(level)], ends[..., QUANTILES.index(round(1 - level, 3))]
        assert (found[..., place] >= np.maximum(upper, -lower)).all()


def test_the_reach_of_outcomes_is_their_quantile_times_the_scale() -> None:
    """Dense rows have the quantiles of dense outcomes, others those of theirs; both signs count; old days do not."""
    rng = np.random.default_rng(0)
    rows = 40_000
    calibration = ReachCalibration(14, generic_shape())
    scale = rng.uniform(0.001, 0.01, (rows, STEPS))
    dense = np.arange(rows) % 2 == 0
    rise = scale * rng.exponential(np.where(dense, 2.0, 1.0)[:, None], (rows, STEPS))
    fall = scale * rng.exponential(np.where(dense, 1.0, 0.5)[:, None], (rows, STEPS))
    for day in (0, 20):
        ts_ms = np.full(rows, MONDAY_MS + day * DAY_MS)
        calibration.learn(ts_ms, scale, rise * (1 if day else 50), fall * (1 if day else 50), dense)
    found = calibration.quantiles(np.array([[1.0] * STEPS, [2.0] * STEPS]), np.array([True, False]))
    for row, (of_kind, factor) in enumerate(((dense, 1.0), (~dense, 2.0))):
        pooled = np.concatenate([(rise / scale)[of_kind], (fall / scale)[of_kind]])
        expected = factor * np.quantile(pooled, REACH_LEVELS, axis=0).T
        np.testing.assert_allclose(found[row], expected, rtol=0.06)


def test_a_price_that_never_rises_has_no_reach() -> None:
    """Where more than half of the outcomes are zero, so are the lower half of the quantiles."""
    calibration = ReachCalibration(14, generic_shape())
    zeros, scale = np.zeros((60_000, STEPS)), np.ones((60_000, STEPS))
    calibration.learn(np.full(60_000, MONDAY_MS), scale, zeros, zeros + 0.5, np.zeros(60_000, dtype=bool))
    found = calibration.quantiles(np.ones((1, STEPS)), np.zeros(1, dtype=bool))
    assert (found[..., :2] == 0).all()
    assert (found[..., 3:5] > 0.4).all()


def _walk(step_ms: int, days: int, coins: int) -> dict[str, tuple[npt.NDArray[np.int64], FloatArray]]:
    """Random walks of normal returns, `STEP` per five minutes."""
    rng = np.random.default_rng(5)
    ts_ms = MONDAY_MS + step_ms * np.arange(days * DAY_MS // step_ms)
    sizes = STEP * np.sqrt(step_ms / GRID_STEP_MS) * rng.normal(size=(coins, len(ts_ms)))
    return {f"coin{coin}": (ts_ms, 100.0 * np.exp(np.cumsum(sizes[coin]))) for coin in range(coins)}


def _touched_by_simulation(distance: float, points: int, step: float) -> float:
    """Share of 20,000 discrete random walks that reach a distance within `points` points."""
    walks = np.cumsum(np.random.default_rng(9).normal(0, step, (20_000, points)), axis=1)
    return float((walks.max(axis=1) >= distance).mean())


@pytest.mark.parametrize("points_a_step", [1, 5])
def test_a_random_walk_is_touched_as_often_as_simulated(points_a_step: int) -> None:
    """Forecast and simulated probabilities of touching agree within two points, with sparse and with dense prices."""
    market = _walk(GRID_STEP_MS // points_a_step, days=6, coins=6)
    engine = ForecastEngine(EngineOptions(train_days=4, n_trees=4))
    fed_ms, reach = 0, []
    for now_ms in range(MONDAY_MS + DAY_MS, MONDAY_MS + 6 * DAY_MS, DAY_MS // 4):
        for coin, (ts_ms, price) in market.items():
            fresh = (ts_ms > fed_ms) & (ts_ms <= now_ms)
            engine.grid.observe(coin, ts_ms[fresh], price[fresh])
        fed_ms = now_ms
        engine.advance(now_ms)
        engine.refit(now_ms)
        reach.append(engine.forecast(dict.fromkeys(market, now_ms)).reach)
    settled = np.concatenate(reach[4:])
    for steps in (1, 6, 12):
        for distance in (0.3, 1.0, 2.0):
            far = distance * STEP * np.sqrt(steps)
            forecast = touching(settled[:, steps - 1], np.full(len(settled), far))
            known = _touched_by_simulation(far, points_a_step * steps, STEP / np.sqrt(points_a_step))
            assert forecast.mean() == pytest.approx(known, abs=0.02)


def test_the_forecast_reach_holds_as_often_as_it_says() -> None:
    """On random walks each quantile of the reach is exceeded with the probability it has, on both sides."""
    market = _walk(GRID_STEP_MS, days=9, coins=8)
    engine = ForecastEngine(EngineOptions(train_days=4, n_trees=4))
    exceeded, count = np.zeros((STEPS, len(REACH_LEVELS))), 0
    fed = dict.fromkeys(market, 0)
    for now_ms in range(MONDAY_MS + 2 * DAY_MS, MONDAY_MS + 9 * DAY_MS - 70 * MINUTE_MS, 55 * MINUTE_MS):
        for coin, (ts_ms, price) in market.items():
            upto = int(np.searchsorted(ts_ms, now_ms, side="right"))
            engine.grid.observe(coin, ts_ms[fed[coin] : upto], price[fed[coin] : upto])
            fed[coin] = upto
        engine.advance(now_ms)
        made = engine.forecast(dict.fromkeys(market, now_ms))
        for row, (ts_ms, price) in enumerate(market.values()):
            first = np.searchsorted(ts_ms, now_ms, side="right")
            way = np.log(price[first : first + STEPS] / price[first - 1])
            for side in (way, -way):
                exceeded += np.maximum.accumulate(side)[:, None] > made.reach[row]
                count += 1
    share = exceeded / count
    expected = 1 - np.array(REACH_LEVELS)
    assert HORIZONS_MIN[-1] == 5 * STEPS
    np.testing.assert_allclose(share[:, 3:], np.tile(expected[3:], (STEPS, 1)), atol=0.025)
    np.testing.assert_allclose(share[6:, 1:], np.tile(expected[1:], (6, 1)), atol=0.025)
