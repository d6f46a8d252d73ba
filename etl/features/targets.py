"""What happened after each grid row: the targets of training and the moves that forecasts are judged by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from core.forecast_schema import HORIZONS_MIN
from etl.arrays import FloatArray, IntArray
from etl.features import volatility

__all__ = ["ACTIVITY_FLOOR", "STEPS", "STEP_ROOTS", "Outcomes", "outcomes"]

STEPS: Final = len(HORIZONS_MIN)
"""Horizons are 1, 2 … 12 steps of the grid."""

STEP_ROOTS: Final[FloatArray] = np.sqrt(np.arange(1, STEPS + 1))
"""How the standard deviation of a random walk grows over the horizons, in units of one step's."""

ACTIVITY_FLOOR: Final = 0.05
"""Added to the mean size of the moves before the logarithm, so that an hour of standing still stays finite."""

_MIN_KNOWN: Final = 0.75


@dataclass(frozen=True)
class Outcomes:
    """Of n rows and k coins: `activity` and `move`, both (n, k, STEPS), NaN where unknown.

    `activity` is the log of the mean absolute 5-minute return over the horizon, in units of the fast volatility;
    `move` is the log return over the horizon.
    """

    activity: FloatArray
    move: FloatArray


def outcomes(log_price: FloatArray, event_ms: IntArray, vol_fast: FloatArray) -> Outcomes:
    """Return what followed the first n rows of a lattice of n + STEPS rows; `vol_fast` (n, k) is the unit at each row.

    A move needs a price at both ends. The activity is the mean over the returns that are known; where fewer than
    three quarters of them are, it is NaN.
    """
    rows = len(vol_fast)
    size = np.abs(volatility.returns(log_price[1:], event_ms[1:], log_price[:-1], event_ms[:-1]))
    known = np.isfinite(size)
    size = np.where(known, size, 0.0)
    total, count = np.zeros_like(vol_fast), np.zeros_like(vol_fast)
    activity, move = np.empty((*vol_fast.shape, STEPS)), np.empty((*vol_fast.shape, STEPS))
    for ahead in range(1, STEPS + 1):
        total = total + size[ahead - 1 : ahead - 1 + rows]
        count = count + known[ahead - 1 : ahead - 1 + rows]
        mean = np.where(count >= _MIN_KNOWN * ahead, total / np.maximum(count, 1.0), np.nan)
        activity[..., ahead - 1] = np.log(mean / vol_fast + ACTIVITY_FLOOR)
        move[..., ahead - 1] = log_price[ahead : ahead + rows] - log_price[:rows]
    return Outcomes(activity, move)
