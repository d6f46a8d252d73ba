"""The gate: coin by coin, the model publishes only while it has not been worse than the baseline of late."""

from __future__ import annotations

from typing import Final

import numpy as np

from etl.arrays import BoolArray, FloatArray, IntArray
from model.forecaster.calibration import LEVELS

__all__ = ["Gate", "interval_loss"]


_TAIL: Final[FloatArray] = (1.0 - LEVELS) / 2
_LEAD: Final = 0.02
_LEAD_ROWS: Final = 144
_USUAL_LOSS: Final = 0.2
"""Mean loss of a good forecast in units of the scale."""


def interval_loss(move: FloatArray, half_width: FloatArray) -> FloatArray:
    """Return the pinball loss (...) of a log move (...), averaged over the nine quantiles 0, ± half_width (...,
    LEVELS).

    For a pair of quantiles ± w at tail probability a, the two losses add up to 2 a w + max(|y| - w, 0); the median's
    is |y| / 2.
    """
    size = np.abs(move)
    pairs = 2.0 * _TAIL * half_width + np.maximum(size[..., None] - half_width, 0.0)
    return np.asarray((pairs.sum(axis=-1) + 0.5 * size) / 9.0)


class Gate:
    """Keeps, per coin, an exponentially weighted mean of (model's loss - baseline's loss) / baseline's loss.

    An outcome `half_life_rows` grid rows ago counts half. A coin begins with a lead for the model worth half a day
    of rows: so little evidence against it is noise more often than not.
    """

    def __init__(self, half_life_rows: float) -> None:
        self.half_life_rows = half_life_rows
        self._model = np.zeros(0)
        self._baseline = np.zeros(0)

    def widen(self, coins: int) -> None:
        """Make room for `coins` coins."""
        fresh = np.full(coins - len(self._model), _LEAD_ROWS * _USUAL_LOSS)
        self._model = np.concatenate([self._model, fresh * (1.0 - _LEAD)])
        self._baseline = np.concatenate([self._baseline, fresh])

    def learn(self, ts_ms: IntArray, coins: IntArray, model: FloatArray, baseline: FloatArray) -> None:
        """Learn from losses (n,) of both on the same outcomes of coins (n,); NaN is no outcome.

        Records fade with the number of moments in `ts_ms`; within one call all outcomes weigh the same.
        """
        known = np.isfinite(model) & np.isfinite(baseline)
        decay = 0.5 ** (len(np.unique(ts_ms)) / self.half_life_rows)
        self._model *= decay
        self._baseline *= decay
        np.add.at(self._model, coins[known], model[known])
        np.add.at(self._baseline, coins[known], baseline[known])

    def passes(self, coins: IntArray) -> BoolArray:
        """Tell for each coin whether the model's recent loss is not above the baseline's."""
        return np.asarray(self._model[coins] <= self._baseline[coins])
