"""How far the price goes within the horizon: quantiles of the largest rise (or fall) in units of the predicted scale.

As for the intervals, what followed each grid row is divided by the scale that was predicted there, and pooled over
coins, both directions and the last days. Five-minute prices miss the peaks between them, so that rows with several
prices a step (`dense`) and rows without have a distribution each. Before any outcome the reach is distributed like the
size of the move, as that of a Brownian motion is (reflection principle: Bachelier, 1900).
"""

from __future__ import annotations

from typing import Final

import numpy as np

from core.forecast_schema import QUANTILES, REACH_LEVELS
from core.times import DAY_MS
from etl.arrays import BoolArray, FloatArray, IntArray
from model.forecaster.calibration import SizeHistogram

__all__ = ["ReachCalibration", "consistent_reach"]

_START_ROWS: Final = 250.0
"""Outcomes that the distribution before any outcome is worth."""

_NO_MOVE: Final = 2.0**-13
"""A reach below this part of the scale counts as 0: the price did not pass that of the origin."""

_LEVELS: Final = np.array(REACH_LEVELS)
_ABOVE: Final = [QUANTILES.index(level) for level in REACH_LEVELS]
_BELOW: Final = [len(QUANTILES) - 1 - column for column in _ABOVE]
"""Columns of the quantiles of the end at the same levels, seen upwards and downwards."""


class ReachCalibration:
    """Turns the scales of one forecaster into quantiles of the reach.

    Args:
        days: window of the outcomes.
        shape: quantiles of |move| / scale (STEPS, SHAPE_LEVELS) to start from.
    """

    def __init__(self, days: int, shape: FloatArray) -> None:
        self.days = days
        self._sizes = (SizeHistogram(shape, _START_ROWS), SizeHistogram(shape, _START_ROWS))
        self._refresh()

    def quantiles(self, scale: FloatArray, dense: BoolArray) -> FloatArray:
        """Quantiles (k, STEPS, levels) at REACH_LEVELS of the largest log rise, and as well of the largest fall.

        Args:
            scale: predicted scales (k, STEPS).
            dense: coins with several prices a step (k,).
        """
        return np.asarray(scale[..., None] * self._quantiles[dense.astype(np.int64)])

    def learn(self, ts_ms: IntArray, scale: FloatArray, rise: FloatArray, fall: FloatArray, dense: BoolArray) -> None:
        """Take in outcomes of forecasts made earlier.

        Args:
            ts_ms: origins (n,).
            scale: scales predicted at the origins (n, STEPS); NaN where there was none.
            rise: largest log rises (n, STEPS); NaN where unknown.
            fall: largest log falls (n, STEPS), likewise.
            dense: rows with several prices a step (n,).
        """
        days = ts_ms // DAY_MS
        size = np.stack([rise, fall], axis=1) / scale[:, None]
        for kind, sizes in enumerate(self._sizes):
            of_kind = dense == bool(kind)
            for day in np.unique(days[of_kind]):
                sizes.add(int(day), size[of_kind & (days == day)])
            sizes.forget_before(int(days.max()) - self.days)
        self._refresh()

    def _refresh(self) -> None:
        quantiles = np.stack([sizes.quantiles(_LEVELS) for sizes in self._sizes])
        self._quantiles = np.where(quantiles < _NO_MOVE, 0.0, quantiles)


def consistent_reach(reach: FloatArray, log_quantiles: FloatArray) -> FloatArray:
    """The reach (k, STEPS, levels) made monotone over levels and horizons, and no smaller than where the price ends.

    A price that ends beyond a level has reached it: a quantile of the reach is never less than the same quantile of the
    log move, upwards or downwards.

    Args:
        reach: quantiles at REACH_LEVELS (k, STEPS, levels).
        log_quantiles: log(quantile / price at the origin) at QUANTILES (k, STEPS, 9).
    """
    ends = np.maximum(log_quantiles[..., _ABOVE], -log_quantiles[..., _BELOW])
    least = np.maximum(reach, np.maximum(ends, 0.0))
    return np.maximum.accumulate(np.maximum.accumulate(least, axis=-1), axis=-2)
