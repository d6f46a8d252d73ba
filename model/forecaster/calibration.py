"""From predicted scales to interval half-widths with the promised coverage, learned walk-forward.

The scale is the volatility predicted for a move over a horizon. A move divided by the scale that was predicted for it
at its origin is a residual that no model has seen. The absolute values of these residuals, pooled over coins and the
last days, give the half-widths; both signs share one distribution, because nothing predicts the sign. Two corrections
follow the outcomes: a factor for the minute within the hour, and a slow coverage tracker per coin and horizon.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from core.accuracy.significance import student_t_quantile
from core.forecast_schema import INTERVALS
from core.times import DAY_MS
from etl.arrays import FloatArray, IntArray, RowArray
from etl.features.targets import STEPS
from model.forecaster.prior import SHAPE_LEVELS

__all__ = ["LEVELS", "Calibration", "SizeHistogram", "generic_shape"]


LEVELS: Final[FloatArray] = np.array(sorted(INTERVALS)) / 100
"""Central intervals 50, 80, 90, 95 %: the order of the last axis of half-widths."""

_BINS_PER_OCTAVE: Final = 24
_MIN_EXPONENT, _MAX_EXPONENT = -14, 8
_BINS: Final = (_MAX_EXPONENT - _MIN_EXPONENT) * _BINS_PER_OCTAVE
"""Bins of sizes from 2^-14 to 2^8 scales, each 2.9 % wide."""

_DEGREES: Final = 4
"""Student's t with 4 degrees of freedom, whose standard deviation is the root of 2: tails as heavy as returns have."""

_PHASES: Final = 12
"""Five-minute places within the hour."""

_MAX_PHASE_SIZE: Final = 10.0
"""Larger sizes count as this in a phase's mean: one crash must not mark its minute for days."""

_PHASE_PULL_SHARE: Final = 0.004
_PHASE_PULL_ROWS: Final = 50.0
"""Each phase's mean is shrunk to the mean of all with the weight of 50 outcomes and 0.4 % of all outcomes."""


def generic_shape() -> FloatArray:
    """Quantiles of |move| / scale (STEPS, SHAPE_LEVELS) before any outcome: Student's t in units of its deviation."""
    row = [student_t_quantile(0.5 + level / 2, _DEGREES) / np.sqrt(2.0) for level in SHAPE_LEVELS]
    return np.tile(row, (STEPS, 1))


class SizeHistogram:
    """Histogram of sizes, per day and horizon, on a logarithmic axis; days can be added and dropped in any order.

    Args:
        shape: quantiles (STEPS, SHAPE_LEVELS) to start from.
        shape_rows: how many outcomes they are worth.
    """

    def __init__(self, shape: FloatArray | None = None, shape_rows: float = 0.0) -> None:
        self._days: dict[int, FloatArray] = {}
        self._prior: FloatArray = np.zeros((STEPS, _BINS))
        if shape is not None:
            self._prior += shape_rows * _bin_weights(shape)

    def add(self, day: int, size: FloatArray) -> None:
        """Count sizes (..., STEPS) on a day; NaN is not counted."""
        rows = size.reshape(-1, STEPS)
        with np.errstate(divide="ignore"):
            bins = np.floor((np.log2(rows) - _MIN_EXPONENT) * _BINS_PER_OCTAVE)
        known = np.isfinite(rows)
        bins = np.clip(np.where(known, bins, 0), 0, _BINS - 1).astype(np.int64) + _BINS * np.arange(STEPS)
        counts = np.bincount(bins[known], minlength=STEPS * _BINS).reshape(STEPS, _BINS).astype(np.float64)
        self._days[day] = self._days[day] + counts if day in self._days else counts

    def forget_before(self, day: int) -> None:
        """Drop the days before `day`."""
        self._days = {known: counts for known, counts in self._days.items() if known >= day}

    @property
    def rows(self) -> float:
        """Sizes counted at the first horizon, without those that the shape is worth."""
        return float(sum(counts[0].sum() for counts in self._days.values()))

    def quantiles(self, levels: FloatArray) -> FloatArray:
        """Quantiles (STEPS, levels) over all days, log-linear within a bin."""
        counts = np.sum([self._prior, *(self._days[day] for day in sorted(self._days))], axis=0)
        edges = 2.0 ** (_MIN_EXPONENT + np.arange(_BINS + 1) / _BINS_PER_OCTAVE)
        result = np.empty((STEPS, len(levels)))
        for row, of_horizon in enumerate(counts):
            total = np.concatenate([[0.0], np.cumsum(of_horizon)])
            rising = np.concatenate([[True], np.diff(total) > 0])
            first = np.flatnonzero(rising[1:])[:1]
            rising[first] = True
            result[row] = np.exp(np.interp(levels * total[-1], total[rising], np.log(edges)[rising]))
        return result


def _bin_weights(shape: FloatArray) -> FloatArray:
    """Spread quantiles (STEPS, SHAPE_LEVELS) over the bins; the weights of a horizon sum to one."""
    edges = _MIN_EXPONENT + np.arange(_BINS + 1) / _BINS_PER_OCTAVE
    levels = np.array([0.0, *SHAPE_LEVELS, 1.0])
    weights = np.empty((STEPS, _BINS))
    for row, quantiles in enumerate(shape):
        known = np.maximum(quantiles, 1e-4 * np.arange(1, len(quantiles) + 1))
        sizes = np.concatenate([[known[0] / 64], known, [known[-1] * 2]])
        cumulative = np.interp(edges, np.log2(sizes), levels)
        weights[row] = np.diff(cumulative)
    return weights


class Calibration:
    """Turns the scales of one forecaster into half-widths: residuals, phase of the hour, coverage tracker.

    Args:
        days: window of the residuals and of the phases.
        shape: quantiles of |move| / scale (STEPS, SHAPE_LEVELS) to start from.
        shape_rows: how many outcomes the shape is worth.
        phases: whether the minute within the hour matters.
        tracker_step: how far one outcome moves the log width of its coin and horizon; 0 leaves the tracker out.
    """

    def __init__(self, days: int, shape: FloatArray, shape_rows: float, phases: bool, tracker_step: float) -> None:
        self.days = days
        self.phases = phases
        self.tracker_step = tracker_step
        self._sizes = SizeHistogram(shape, shape_rows)
        self._phase_days: dict[int, FloatArray] = {}
        self._tracker = np.zeros((0, STEPS, len(LEVELS)))
        self._refresh()

    @property
    def rows(self) -> float:
        """Outcomes in the window."""
        return self._sizes.rows

    def widen(self, coins: int) -> None:
        """Make room for `coins` coins."""
        missing = coins - len(self._tracker)
        self._tracker = np.concatenate([self._tracker, np.zeros((missing, STEPS, len(LEVELS)))])

    def forget(self, coins: IntArray) -> None:
        """Reset coins (k,): other coins have taken their numbers."""
        self._tracker[coins] = 0.0

    def phase_factor(self, minute_weights: RowArray) -> FloatArray:
        """Factor of the scale (..., STEPS) for the minute within the hour, given as twelve weights (..., 12)."""
        return np.asarray(minute_weights.astype(np.float64) @ self._phase)

    def half_widths(self, scale: FloatArray, coins: IntArray) -> FloatArray:
        """Half-widths of the log move (k, STEPS, LEVELS), monotone over levels and horizons.

        Args:
            scale: predicted scales with their phase factor (k, STEPS).
            coins: column numbers (k,).
        """
        widths = scale[..., None] * self._quantiles * np.exp(self._tracker[coins])
        return np.maximum.accumulate(np.maximum.accumulate(widths, axis=-1), axis=-2)

    def learn(
        self,
        ts_ms: IntArray,
        coins: IntArray,
        minute_weights: RowArray,
        scale: FloatArray,
        move: FloatArray,
    ) -> None:
        """Take in outcomes of forecasts made earlier.

        The coverage tracker widens an interval after a miss and narrows it after a hit, in proportions that balance
        at the promised coverage: online gradient descent on the pinball loss of the width.

        Source: Gibbs and Candès (2021), "Adaptive conformal inference under distribution shift", arXiv:2106.00170.

        Args:
            ts_ms: origins (n,).
            coins: column numbers (n,).
            minute_weights: twelve weights of the origin's minute (n, 12).
            scale: scales predicted at the origins, with their phase factor (n, STEPS); NaN where there was none.
            move: log moves (n, STEPS).
        """
        size = np.abs(move) / scale
        if self.tracker_step:
            limit = self._quantiles * np.exp(self._tracker[coins])
            known = np.isfinite(size)[..., None]
            excess = np.where(known, (size[..., None] > limit) - (1.0 - LEVELS), 0.0)
            np.add.at(self._tracker, coins, self.tracker_step * excess)
        days = ts_ms // DAY_MS
        for day in np.unique(days):
            of_day = days == day
            self._sizes.add(int(day), size[of_day])
            if self.phases:
                weights = minute_weights[of_day].astype(np.float64).T
                raw = np.minimum(size[of_day] * self.phase_factor(minute_weights[of_day]), _MAX_PHASE_SIZE)
                counts = np.stack([weights @ np.nan_to_num(raw), weights @ np.isfinite(raw)])
                self._phase_days[int(day)] = self._phase_days.get(int(day), 0.0) + counts
        self._forget(int(days.max()) - self.days)
        self._refresh()

    def _forget(self, day: int) -> None:
        self._sizes.forget_before(day)
        self._phase_days = {known: sums for known, sums in self._phase_days.items() if known >= day}

    def _refresh(self) -> None:
        self._quantiles = self._sizes.quantiles(LEVELS)
        self._phase = np.ones((_PHASES, STEPS))
        if self._phase_days:
            total, count = np.sum([self._phase_days[day] for day in sorted(self._phase_days)], axis=0)
            overall = total.sum(axis=0) / np.maximum(count.sum(axis=0), 1.0)
            pull = _PHASE_PULL_SHARE * count.sum(axis=0) + _PHASE_PULL_ROWS
            mean = (total + pull * overall) / (count + pull)
            self._phase = np.where(overall > 0, mean / np.where(overall > 0, overall, 1.0), 1.0)
