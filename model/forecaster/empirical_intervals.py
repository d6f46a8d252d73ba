"""Intervals and reach from a coin's own moves, for stablecoins and other static coins that no pooled model fits."""

from __future__ import annotations

from typing import Final

import numpy as np

from core.forecast_schema import REACH_LEVELS
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

_WIDTH: Final = len(LEVELS) + len(REACH_LEVELS)


class EmpiricalIntervals:
    """Quantiles of |move| and reach / (mixed volatility x root of the steps) of single coins over the last days.

    The mixed volatility is half fast, half slow: a stablecoin that loses its peg gets wide intervals within the hour,
    one that stands still for a night keeps those of its usual days.

    Args:
        days: window of the moves.
    """

    def __init__(self, days: int) -> None:
        self._rows = days * STEPS_PER_DAY
        self._renewed_ms: dict[int, int] = {}
        self._quantiles: dict[int, FloatArray] = {}

    def get(self, grid: FeatureGrid, coins: IntArray) -> tuple[FloatArray, FloatArray]:
        """Quantiles of the moves (k, STEPS, LEVELS) and of the reach (k, STEPS, REACH_LEVELS) of coins (k,).

        NaN where too few moves are known.
        """
        now_ms = int(grid.history.ts_ms[-1]) if len(coins) else 0
        due = [coin for coin in coins.tolist() if now_ms - self._renewed_ms.get(coin, -_RENEWAL_MS) >= _RENEWAL_MS]
        if due:
            self._renewed_ms.update(dict.fromkeys(due, now_ms))
            self._quantiles.update(zip(due, self._measure(grid, np.array(due, np.int64)), strict=True))
        known = np.array([self._quantiles[coin] for coin in coins.tolist()]).reshape(-1, STEPS, _WIDTH)
        moves, reach = np.split(known, [len(LEVELS)], axis=-1)
        return moves, reach

    def forget(self, coins: IntArray) -> None:
        """Reset coins (k,): other coins have taken their columns."""
        for coin in coins.tolist():
            self._renewed_ms.pop(coin, None)
            self._quantiles.pop(coin, None)

    def _measure(self, grid: FeatureGrid, coins: IntArray) -> FloatArray:
        """Quantiles of the moves, then of the reach, on the last axis."""
        recent = slice(-self._rows, None)
        history = grid.history
        log_price, vol_mixed = history.log_price[recent, coins], history.vol_mixed[recent, coins]
        extremes = history.extremes.part(recent, coins)
        rise, fall = np.zeros_like(log_price), np.zeros_like(log_price)
        quantiles = np.full((len(coins), STEPS, _WIDTH), np.nan)
        for ahead in range(1, STEPS + 1):
            start = log_price[:-ahead]
            rise = np.fmax(rise[: len(start)], extremes.log_high[ahead:] - start)
            fall = np.fmax(fall[: len(start)], start - extremes.log_low[ahead:])
            move = log_price[ahead:] - start
            known = np.isfinite(move)
            enough = known.sum(axis=0) >= _MIN_MOVES
            if enough.any():
                scale = np.where(known, vol_mixed[:-ahead], np.nan)[:, enough] * np.sqrt(ahead)
                reach = np.concatenate([rise[:, enough] / scale, fall[:, enough] / scale])
                quantiles[enough, ahead - 1, : len(LEVELS)] = np.nanquantile(
                    np.abs(move[:, enough]) / scale, LEVELS, axis=0
                ).T
                quantiles[enough, ahead - 1, len(LEVELS) :] = np.nanquantile(reach, REACH_LEVELS, axis=0).T
        return quantiles
