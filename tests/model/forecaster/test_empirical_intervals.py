"""Empirical widths of static coins: quantiles of their own moves, once there are enough of them."""

from __future__ import annotations

import numpy as np

from core.forecast_schema import REACH_LEVELS
from core.times import GRID_STEP_MS
from etl.features.feature_grid import FeatureGrid
from model.forecaster.calibration import LEVELS
from model.forecaster.empirical_intervals import EmpiricalIntervals

START_MS = 1_700_000_100_000
COIN = np.array([0])


def grid_of(rows: int) -> FeatureGrid:
    """A stablecoin's prices, a grid step apart."""
    ts = START_MS + GRID_STEP_MS * np.arange(rows)
    grid = FeatureGrid(2)
    grid.observe("stable", ts, 1 + np.random.default_rng(0).normal(0, 3e-5, rows))
    list(grid.extend(int(ts[-1])))
    return grid


def test_quantiles_are_those_of_the_scaled_moves() -> None:
    """Each horizon's are numpy's, of |move| and of reach / (mixed volatility at its start x root of the steps)."""
    grid = grid_of(400)
    quantiles, reach = EmpiricalIntervals(days=2).get(grid, COIN)
    assert quantiles.shape == (1, 12, len(LEVELS))
    assert reach.shape == (1, 12, len(REACH_LEVELS))
    log_price, vol_mixed = grid.history.log_price[:, 0], grid.history.vol_mixed[:, 0]
    for steps in (1, 12):
        size = np.abs(log_price[steps:] - log_price[:-steps]) / (vol_mixed[:-steps] * np.sqrt(steps))
        np.testing.assert_allclose(quantiles[0, steps - 1], np.nanquantile(size, LEVELS))
        rises, falls = (
            [max(0.0, *(sign * (log_price[row + 1 : row + steps + 1] - log_price[row]))) for row in range(len(size))]
            for sign in (1, -1)
        )
        sizes = np.concatenate([rises, falls]) / np.tile(vol_mixed[:-steps] * np.sqrt(steps), 2)
        np.testing.assert_allclose(reach[0, steps - 1], np.nanquantile(sizes, REACH_LEVELS))


def test_quantiles_need_half_a_day_of_moves() -> None:
    """With fewer than 144 moves over a horizon its quantiles are NaN."""
    for few, enough in zip(
        EmpiricalIntervals(days=2).get(grid_of(144), COIN),
        EmpiricalIntervals(days=2).get(grid_of(146), COIN),
        strict=True,
    ):
        assert np.isnan(few).all()
        assert np.isfinite(enough[0, 0]).all()
        assert np.isnan(enough[0, -1]).all()


def test_quantiles_are_renewed_once_an_hour() -> None:
    """Between two renewals the last quantiles are returned."""
    grid, quantiles = grid_of(400), EmpiricalIntervals(days=2)
    first = quantiles.get(grid, COIN)
    last_ms = int(grid.history.ts_ms[-1])
    for steps, is_new in ((6, False), (12, True)):
        grid.observe("stable", last_ms + steps * GRID_STEP_MS, 1.001)
        list(grid.extend(last_ms + steps * GRID_STEP_MS))
        same = [np.array_equal(now, then) for now, then in zip(quantiles.get(grid, COIN), first, strict=True)]
        assert same == [not is_new, not is_new]
