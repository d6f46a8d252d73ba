"""How unusual the present activity of a coin is: the scales that were predicted for its hours of the last 14 days."""

from __future__ import annotations

from typing import Final

import numpy as np

from core.times import HOUR_MS
from etl.arrays import FloatArray, IntArray, RowArray
from model.forecaster.lesson import HourScales

__all__ = ["ActivityHistory"]

_HOURS: Final = 14 * 24
_MIN_HOURS: Final = 8
"""With fewer hours no percentile is given."""


class ActivityHistory:
    """One predicted scale per coin and full hour, for 14 days; an hour's place is its number modulo their count."""

    def __init__(self) -> None:
        self._hour: IntArray = np.full(_HOURS, -1)
        self._scale: RowArray = np.full((_HOURS, 0), np.nan, dtype=np.float32)

    def widen(self, coins: int) -> None:
        """Make room for `coins` coins."""
        missing = coins - self._scale.shape[1]
        if missing:
            self._scale = np.pad(self._scale, ((0, 0), (0, missing)), constant_values=np.nan)

    def forget(self, coins: IntArray) -> None:
        """Reset coins (k,): other coins have taken their numbers."""
        self._scale[:, coins] = np.nan

    def note(self, scales: HourScales) -> None:
        """Remember the scales predicted at full hours."""
        for row, hour in enumerate((scales.ts_ms // HOUR_MS).tolist()):
            place = hour % _HOURS
            if self._hour[place] < hour:
                self._hour[place] = hour
                self._scale[place] = np.nan
            if self._hour[place] == hour:
                known = np.isfinite(scales.scale[row])
                self._scale[place, scales.coins[known]] = scales.scale[row, known]

    def percentile(self, origin_ms: IntArray, coins: IntArray, scale: FloatArray) -> FloatArray:
        """Percent of a coin's hours up to the origin for which a smaller scale was predicted than now (k,).

        Args:
            origin_ms: origins (k,).
            coins: column numbers (k,).
            scale: scale that was predicted at each origin for its hour (k,); NaN without a prediction.

        Returns:
            NaN with fewer than 8 hours or without a scale.
        """
        age = origin_ms // HOUR_MS - self._hour[:, None]
        known = self._scale[:, coins]
        counted = np.isfinite(known) & (age >= 0) & (age < _HOURS)
        hours = counted.sum(axis=0)
        smaller = (counted & (known < scale.astype(np.float32))).sum(axis=0)
        enough = (hours >= _MIN_HOURS) & np.isfinite(scale)
        return np.where(enough, 100.0 * smaller / np.maximum(hours, 1), np.nan)
