"""Empirical widths of static coins: quantiles of their own moves, once there are enough of them."""

from __future__ import annotations

import numpy as np

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
    """Each horizon's are numpy's, of |move| / (mixed volatility at its start x root of the steps)."""
    grid = grid_of(400)
    quantiles = EmpiricalIntervals(days=2).get(grid, COIN)
    assert quantiles.shape == (1, 12, len(LEVELS))
    log_price, vol_mixed = grid.log_price[:, 0], grid.vol_mixed[:, 0]
    for steps in (1, 12):
        size = np.abs(log_price[steps:] - log_price[:-steps]) / (vol_mixed[:-steps] * np.sqrt(steps))
        np.testing.assert_allclose(quantiles[0, steps - 1], np.nanquantile(size, LEVELS))


def test_quantiles_need_half_a_day_of_moves() -> None:
    """With fewer than 144 moves over a horizon its quantiles are NaN."""
    assert np.isnan(EmpiricalIntervals(days=2).get(grid_of(144), COIN)).all()
    enough = EmpiricalIntervals(days=2).get(grid_of(146), COIN)
    assert np.isfinite(enough[0, 0]).all()
    assert np.isnan(enough[0, -1]).all()


def test_quantiles_are_renewed_once_an_hour() -> None:
    """Between two renewals the last quantiles are returned."""
    grid, quantiles = grid_of(400), EmpiricalIntervals(days=2)
    first = quantiles.get(grid, COIN)
    last_ms = int(grid.ts_ms[-1])
    for steps, is_new in ((6, False), (12, True)):
        grid.observe("stable", last_ms + steps * GRID_STEP_MS, 1.001)
        list(grid.extend(last_ms + steps * GRID_STEP_MS))
        assert np.array_equal(quantiles.get(grid, COIN), first) != is_new
