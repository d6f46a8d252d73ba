"""Empirical half-widths of a coin's own moves, for stablecoins and others that no pooled model should speak for."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from core.contract import GRID_STEP_MS
from etl.feature_grid import FeatureGrid
from etl.outcomes import STEPS
from model.calibration import LEVELS

__all__ = ["OwnShapes"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

_RENEW_MS: Final = 12 * GRID_STEP_MS
_LEAST_MOVES: Final = 144


class OwnShapes:
    """Quantiles of each odd coin's |move| / (spread x root of the steps) over the lattice at hand, renewed hourly.

    The spread is half fast, half slow: a stablecoin that loses its peg gets wide bands within the hour, one that
    stands still for a night keeps those of its usual days.
    """

    def __init__(self, days: int) -> None:
        self._rows = days * 288
        self._made: dict[int, tuple[int, FloatArray, FloatArray]] = {}

    def get(self, grid: FeatureGrid, coins: IntArray) -> tuple[FloatArray, FloatArray]:
        """Return the quantiles (k, STEPS, LEVELS) and the share of zero moves (k, STEPS); NaN where too little is
        known.
        """
        now_ms = int(grid.ts_ms[-1])
        stale = np.array(
            [coin for coin in coins if now_ms - self._made.get(int(coin), (-_RENEW_MS,))[0] >= _RENEW_MS],
            dtype=np.int64,
        )
        if len(stale):
            shapes, zeros = self._measure(grid, stale)
            for row, coin in enumerate(stale):
                self._made[int(coin)] = (now_ms, shapes[row], zeros[row])
        made = [self._made[int(coin)] for coin in coins]
        return np.stack([shape for _, shape, _ in made]), np.stack([zero for _, _, zero in made])

    def _measure(self, grid: FeatureGrid, coins: IntArray) -> tuple[FloatArray, FloatArray]:
        log_price = grid.log_price[-self._rows :, coins]
        spread = grid.spread[-self._rows :, coins]
        shapes = np.full((len(coins), STEPS, len(LEVELS)), np.nan)
        zeros = np.full((len(coins), STEPS), np.nan)
        for ahead in range(1, STEPS + 1):
            move = log_price[ahead:] - log_price[:-ahead]
            enough = np.isfinite(move).sum(axis=0) >= _LEAST_MOVES
            if enough.any():
                size = np.abs(move[:, enough]) / (spread[:-ahead, enough] * np.sqrt(ahead))
                shapes[enough, ahead - 1] = np.nanquantile(size, LEVELS, axis=0).T
                zeros[enough, ahead - 1] = (move[:, enough] == 0.0).sum(axis=0) / np.isfinite(move[:, enough]).sum(
                    axis=0
                )
        return shapes, zeros
