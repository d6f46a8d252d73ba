"""Empirical half-widths of a coin's own moves, for stablecoins and others that no pooled model should speak for."""

from __future__ import annotations

from typing import Final

import numpy as np

from core.times import GRID_STEP_MS
from etl.arrays import FloatArray, IntArray
from etl.features.feature_grid import FeatureGrid
from etl.features.raw_prices import STEPS_PER_DAY
from etl.features.targets import STEPS
from model.forecaster.calibration import LEVELS

__all__ = ["OwnShapes"]


_RENEW_MS: Final = 12 * GRID_STEP_MS
_LEAST_MOVES: Final = 144


class OwnShapes:
    """Quantiles of each odd coin's |move| / (spread x root of the steps) over the lattice at hand, renewed hourly.

    The spread is half fast, half slow: a stablecoin that loses its peg gets wide bands within the hour, one that
    stands still for a night keeps those of its usual days.
    """

    def __init__(self, days: int) -> None:
        self._rows = days * STEPS_PER_DAY
        self._made_ms: dict[int, int] = {}
        self._shapes: dict[int, FloatArray] = {}

    def get(self, grid: FeatureGrid, coins: IntArray) -> FloatArray:
        """Return the quantiles (k, STEPS, LEVELS); NaN where too little is known."""
        now_ms = int(grid.ts_ms[-1])
        stale = np.array(
            [c for c in coins.tolist() if now_ms - self._made_ms.get(c, -_RENEW_MS) >= _RENEW_MS], np.int64
        )
        if len(stale):
            self._made_ms.update(dict.fromkeys(stale.tolist(), now_ms))
            self._shapes.update(zip(stale.tolist(), self._measure(grid, stale), strict=True))
        return np.stack([self._shapes[coin] for coin in coins.tolist()])

    def _measure(self, grid: FeatureGrid, coins: IntArray) -> FloatArray:
        log_price = grid.log_price[-self._rows :, coins]
        spread = grid.spread[-self._rows :, coins]
        shapes = np.full((len(coins), STEPS, len(LEVELS)), np.nan)
        for ahead in range(1, STEPS + 1):
            move = log_price[ahead:] - log_price[:-ahead]
            enough = np.isfinite(move).sum(axis=0) >= _LEAST_MOVES
            if enough.any():
                size = np.abs(move[:, enough]) / (spread[:-ahead, enough] * np.sqrt(ahead))
                shapes[enough, ahead - 1] = np.nanquantile(size, LEVELS, axis=0).T
        return shapes
