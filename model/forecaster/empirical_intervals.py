"""Intervals from a coin's own moves, for stablecoins and other static coins that no pooled model fits."""

from __future__ import annotations

from typing import Final

import numpy as np

from core.times import GRID_STEP_MS
from etl.arrays import FloatArray, IntArray
from etl.features.feature_grid import FeatureGrid
from etl.features.raw_prices import STEPS_PER_DAY
from etl.features.targets import STEPS
from model.forecaster.calibration import LEVELS

__all__ = ["EmpiricalIntervals"]


_RENEWAL_MS: Final = 12 * GRID_STEP_MS
"""The quantiles of a coin are computed once an hour."""

_MIN_MOVES: Final = 144
"""Moves over a horizon (half a day of them) without which its quantiles are unknown."""


class EmpiricalIntervals:
    """Quantiles of |move| / (mixed volatility x root of the steps) of single coins over the last days.

    The mixed volatility is half fast, half slow: a stablecoin that loses its peg gets wide intervals within the hour,
    one that stands still for a night keeps those of its usual days.

    Args:
        days: window of the moves.
    """

    def __init__(self, days: int) -> None:
        self._rows = days * STEPS_PER_DAY
        self._renewed_ms: dict[int, int] = {}
        self._quantiles: dict[int, FloatArray] = {}

    def get(self, grid: FeatureGrid, coins: IntArray) -> FloatArray:
        """Quantiles (k, STEPS, LEVELS) of coins (k,); NaN where too few moves are known."""
        now_ms = int(grid.ts_ms[-1])
        due = [coin for coin in coins.tolist() if now_ms - self._renewed_ms.get(coin, -_RENEWAL_MS) >= _RENEWAL_MS]
        if due:
            self._renewed_ms.update(dict.fromkeys(due, now_ms))
            self._quantiles.update(zip(due, self._measure(grid, np.array(due, np.int64)), strict=True))
        return np.stack([self._quantiles[coin] for coin in coins.tolist()])

    def _measure(self, grid: FeatureGrid, coins: IntArray) -> FloatArray:
        log_price = grid.log_price[-self._rows :, coins]
        vol_mixed = grid.vol_mixed[-self._rows :, coins]
        quantiles = np.full((len(coins), STEPS, len(LEVELS)), np.nan)
        for ahead in range(1, STEPS + 1):
            move = log_price[ahead:] - log_price[:-ahead]
            enough = np.isfinite(move).sum(axis=0) >= _MIN_MOVES
            if enough.any():
                size = np.abs(move[:, enough]) / (vol_mixed[:-ahead, enough] * np.sqrt(ahead))
                quantiles[enough, ahead - 1] = np.nanquantile(size, LEVELS, axis=0).T
        return quantiles
