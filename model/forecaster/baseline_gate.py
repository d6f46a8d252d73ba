"""Decides coin by coin whether the model's forecast is published, or the baseline's."""

from __future__ import annotations

from typing import Final

import numpy as np

from etl.arrays import BoolArray, FloatArray, IntArray
from model.forecaster.calibration import LEVELS
from model.forecaster.passed_time import times_passed

__all__ = ["BaselineGate", "interval_loss"]


_TAIL: Final[FloatArray] = (1.0 - LEVELS) / 2

_HEAD_START: Final = 0.05
_HEAD_START_ROWS: Final = 144
"""A new coin begins as if the model had lost 5 % less than the baseline on half a day of rows.

Without it one coin in six was shut out by chance after a cold start (docs/forecasting.md).
"""

_TYPICAL_LOSS: Final = 0.2
"""Mean loss of a good forecast in units of the scale."""

_START_LOSS: Final = _HEAD_START_ROWS * _TYPICAL_LOSS


def interval_loss(move: FloatArray, half_width: FloatArray) -> FloatArray:
    """Pinball loss of log moves, averaged over the nine quantiles 0 and ± `half_width`.

    For a pair of quantiles ± w at tail probability a, the two losses add up to 2 a w + max(|y| - w, 0); the median's
    is |y| / 2.

    Args:
        move: log moves (...).
        half_width: half-widths (..., LEVELS) of the central intervals.

    Returns:
        Losses (...), in units of the move.
    """
    size = np.abs(move)
    pairs = 2.0 * _TAIL * half_width + np.maximum(size[..., None] - half_width, 0.0)
    return np.asarray((pairs.sum(axis=-1) + 0.5 * size) / 9.0)


class BaselineGate:
    """Compares, per coin, exponentially weighted losses of model and baseline on the same outcomes.

    Args:
        half_life_rows: an outcome so many grid rows ago counts half.
    """

    def __init__(self, half_life_rows: float) -> None:
        self.half_life_rows = half_life_rows
        self._model_loss = np.zeros(0)
        self._baseline_loss = np.zeros(0)
        self._newest_ms = -1

    def widen(self, coins: int) -> None:
        """Make room for `coins` coins."""
        added = coins - len(self._model_loss)
        self._model_loss = np.pad(self._model_loss, (0, added), constant_values=_START_LOSS * (1.0 - _HEAD_START))
        self._baseline_loss = np.pad(self._baseline_loss, (0, added), constant_values=_START_LOSS)

    def forget(self, coins: IntArray) -> None:
        """Reset coins (k,): other coins have taken their numbers."""
        self._model_loss[coins], self._baseline_loss[coins] = _START_LOSS * (1.0 - _HEAD_START), _START_LOSS

    def learn(self, ts_ms: IntArray, coins: IntArray, model: FloatArray, baseline: FloatArray) -> None:
        """Add the losses of both on the same outcomes.

        Old losses fade once for each time that passed (`times_passed`). Within one call all outcomes weigh the same.

        Args:
            ts_ms: times of the rows (n,).
            coins: column numbers (n,).
            model: losses of the model (n,); NaN where there is no outcome.
            baseline: losses of the baseline (n,), likewise.
        """
        known = np.isfinite(model) & np.isfinite(baseline)
        passed, self._newest_ms = times_passed(ts_ms, self._newest_ms)
        decay = 0.5 ** (passed / self.half_life_rows)
        self._model_loss *= decay
        self._baseline_loss *= decay
        np.add.at(self._model_loss, coins[known], model[known])
        np.add.at(self._baseline_loss, coins[known], baseline[known])

    def passes(self, coins: IntArray) -> BoolArray:
        """Whether the model's recent loss is at most the baseline's, for coins (k,)."""
        return np.asarray(self._model_loss[coins] <= self._baseline_loss[coins])
