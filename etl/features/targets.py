"""Training targets: what happened after each grid row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from core.forecast_schema import HORIZONS_MIN
from etl.arrays import BoolArray, FloatArray, IntArray
from etl.features import volatility
from etl.features.step_extremes import StepExtremes

__all__ = ["ACTIVITY_FLOOR", "STEPS", "STEP_ROOTS", "Outcomes", "Reached", "outcomes", "reached"]

STEPS: Final = len(HORIZONS_MIN)
"""Horizons are 1, 2 … 12 grid steps."""

STEP_ROOTS: Final[FloatArray] = np.sqrt(np.arange(1, STEPS + 1))
"""Standard deviation of a random walk over each horizon, in units of one step's."""

ACTIVITY_FLOOR: Final = 0.05
"""Added to the mean absolute return before the logarithm, so that an hour without a move stays finite."""

_MIN_KNOWN: Final = 0.75


@dataclass(frozen=True)
class Outcomes:
    """Targets of n rows and k coins, both of shape (n, k, STEPS), NaN where unknown.

    `activity` is the log of the mean absolute 5-minute return over the horizon, in units of the fast volatility.
    `move` is the log return over the horizon.
    """

    activity: FloatArray
    move: FloatArray


@dataclass(frozen=True)
class Reached:
    """How far the prices of k coins went after n rows.

    Attributes:
        rise: largest log distance of the price above the row's at any time within the horizon (n, k, STEPS), at least
            0; NaN where unknown.
        fall: the same below (n, k, STEPS).
        dense: whether most steps of the hour after the row have more than one price (n, k).
    """

    rise: FloatArray
    fall: FloatArray
    dense: BoolArray


def outcomes(log_price: FloatArray, event_ms: IntArray, vol_fast: FloatArray) -> Outcomes:
    """Compute the targets of the first n of n + STEPS consecutive grid rows.

    Args:
        log_price: log prices at the rows, shape (n + STEPS, k).
        event_ms: event times of these prices in UTC milliseconds, the same shape.
        vol_fast: fast volatility at each of the n rows, shape (n, k).

    Returns:
        A move needs a price at both ends. The activity is a mean over the known returns, NaN where fewer than three
        quarters of them are known.
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


def reached(log_price: FloatArray, extremes: StepExtremes) -> Reached:
    """Compute how far the prices went after the first n of n + STEPS consecutive grid rows.

    Args:
        log_price: log prices at the rows, shape (n + STEPS, k).
        extremes: highest and lowest prices of the steps that end at the rows, the same shape.

    Returns:
        The extremes of the known steps; NaN where fewer than three quarters of them are known.
    """
    rise, fall = _largest_rise(log_price, extremes.log_high), _largest_rise(-log_price, -extremes.log_low)
    return Reached(rise, fall, extremes.dense_after())


def _largest_rise(log_price: FloatArray, log_high: FloatArray) -> FloatArray:
    rows = len(log_price) - STEPS
    start = log_price[:rows]
    largest, best, count = np.empty((*start.shape, STEPS)), np.zeros_like(start), np.zeros_like(start)
    for ahead in range(1, STEPS + 1):
        rise = log_high[ahead : ahead + rows] - start
        best = np.fmax(best, rise)
        count = count + np.isfinite(rise)
        largest[..., ahead - 1] = np.where(count >= _MIN_KNOWN * ahead, best, np.nan)
    return largest
