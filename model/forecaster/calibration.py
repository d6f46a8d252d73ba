"""From predicted scales to interval half-widths that cover what they promise, learned walk-forward.

A move divided by the scale that was predicted for it, at the time, is a residual no model has seen. Their absolute
values, pooled over coins and the last days, give the half-widths (both sides share one distribution: nothing predicts
the sign). Two corrections follow the outcomes: a factor for the place within the hour, and a slow tracker per coin
and horizon.
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

_PER_OCTAVE: Final = 24
_LOWEST, _HIGHEST = -14, 8
_BINS: Final = (_HIGHEST - _LOWEST) * _PER_OCTAVE
_SIZE_LIMIT: Final = 10.0
_PHASES: Final = 12
_PHASE_PULL: Final = 0.004


def generic_shape() -> FloatArray:
    """Quantiles of |move| / scale (STEPS, SHAPE_LEVELS) before any outcome: Student's t, 4 degrees of freedom.

    Divided by the root of 2, its standard deviation, so that they are in units of the scale.
    """
    row = [student_t_quantile(0.5 + level / 2, 4) / np.sqrt(2.0) for level in SHAPE_LEVELS]
    return np.tile(row, (STEPS, 1))


class SizeHistogram:
    """Counts of sizes per day and horizon in bins a 24th of an octave wide: quantiles of any window of days, order-
    free.
    """

    def __init__(self, shape: FloatArray | None = None, shape_rows: float = 0.0) -> None:
        self._days: dict[int, FloatArray] = {}
        self._prior: FloatArray = np.zeros((STEPS, _BINS))
        if shape is not None:
            self._prior += shape_rows * _spread_out(shape)

    def add(self, day: int, size: FloatArray) -> None:
        """Count sizes (..., STEPS) on a day; NaN is not counted."""
        rows = size.reshape(-1, STEPS)
        with np.errstate(divide="ignore"):
            place = np.floor((np.log2(rows) - _LOWEST) * _PER_OCTAVE)
        known = np.isfinite(rows)
        place = np.clip(np.where(known, place, 0), 0, _BINS - 1).astype(np.int64) + _BINS * np.arange(STEPS)
        counts = np.bincount(place[known], minlength=STEPS * _BINS).reshape(STEPS, _BINS).astype(np.float64)
        self._days[day] = self._days[day] + counts if day in self._days else counts

    def forget_before(self, day: int) -> None:
        """Drop the days before `day`."""
        self._days = {known: counts for known, counts in self._days.items() if known >= day}

    @property
    def rows(self) -> float:
        """Sizes counted at the first horizon, the prior's not included."""
        return float(sum(counts[0].sum() for counts in self._days.values()))

    def quantiles(self, levels: FloatArray) -> FloatArray:
        """Return the quantiles (STEPS, levels), log-linear within a bin."""
        counts = np.sum([self._prior, *(self._days[day] for day in sorted(self._days))], axis=0)
        edges = 2.0 ** (_LOWEST + np.arange(_BINS + 1) / _PER_OCTAVE)
        result = np.empty((STEPS, len(levels)))
        for row, of_horizon in enumerate(counts):
            total = np.concatenate([[0.0], np.cumsum(of_horizon)])
            rising = np.concatenate([[True], np.diff(total) > 0])
            first = np.flatnonzero(rising[1:])[:1]
            rising[first] = True
            result[row] = np.exp(np.interp(levels * total[-1], total[rising], np.log(edges)[rising]))
        return result


def _spread_out(shape: FloatArray) -> FloatArray:
    """Turn quantiles (STEPS, SHAPE_LEVELS) into bin weights that sum to one."""
    edges = _LOWEST + np.arange(_BINS + 1) / _PER_OCTAVE
    levels = np.array([0.0, *SHAPE_LEVELS, 1.0])
    weights = np.empty((STEPS, _BINS))
    for row, quantiles in enumerate(shape):
        known = np.maximum(quantiles, 1e-4 * np.arange(1, len(quantiles) + 1))
        sizes = np.concatenate([[known[0] / 64], known, [known[-1] * 2]])
        cumulative = np.interp(edges, np.log2(sizes), levels)
        weights[row] = np.diff(cumulative)
    return weights


class Calibration:
    """The calibration of one family of scales: residual store, phase of the hour, tracker per coin and horizon.

    Parameters: `days` the window; `shape`, `shape_rows` what to start from and how many rows that is worth; `phases`
    whether the place within the hour matters; `step` how far the tracker moves the log width per outcome (0: not at
    all).
    """

    def __init__(self, days: int, shape: FloatArray, shape_rows: float, phases: bool, step: float) -> None:
        self.days = days
        self.phases = phases
        self.step = step
        self._sizes = SizeHistogram(shape, shape_rows)
        self._phase_days: dict[int, FloatArray] = {}
        self._track = np.zeros((0, STEPS, len(LEVELS)))
        self._refresh()

    @property
    def rows(self) -> float:
        """Outcomes in the store."""
        return self._sizes.rows

    def widen(self, coins: int) -> None:
        """Make room for `coins` coins."""
        missing = coins - len(self._track)
        self._track = np.concatenate([self._track, np.zeros((missing, STEPS, len(LEVELS)))])

    def phase_factor(self, hats: RowArray) -> FloatArray:
        """Return the factor (..., STEPS) of the place within the hour, given as twelve weights (..., 12)."""
        return np.asarray(hats.astype(np.float64) @ self._phase)

    def half_widths(self, scale: FloatArray, coins: IntArray) -> FloatArray:
        """Return the half-widths of the log move (k, STEPS, LEVELS) for final scales (k, STEPS) of coins (k,).

        Monotone over levels and horizons.
        """
        widths = scale[..., None] * self._quantiles * np.exp(self._track[coins])
        return np.maximum.accumulate(np.maximum.accumulate(widths, axis=-1), axis=-2)

    def learn(
        self,
        ts_ms: IntArray,
        coins: IntArray,
        hats: RowArray,
        scale: FloatArray,
        move: FloatArray,
    ) -> None:
        """Learn from moves (n, STEPS) of coins (n,) and the final scales (n, STEPS) published for them (NaN: none
        was).
        """
        size = np.abs(move) / scale
        if self.step:
            limit = self._quantiles * np.exp(self._track[coins])
            known = np.isfinite(size)[..., None]
            outside = np.where(known, (size[..., None] > limit) - (1.0 - LEVELS), 0.0)
            np.add.at(self._track, coins, self.step * outside)
        days = ts_ms // DAY_MS
        for day in np.unique(days):
            of_day = days == day
            self._sizes.add(int(day), size[of_day])
            if self.phases:
                place = hats[of_day].astype(np.float64).T
                raw = np.minimum(size[of_day] * self.phase_factor(hats[of_day]), _SIZE_LIMIT)
                counts = np.stack([place @ np.nan_to_num(raw), place @ np.isfinite(raw)])
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
            pull = _PHASE_PULL * count.sum(axis=0) + 50.0
            mean = (total + pull * overall) / (count + pull)
            self._phase = np.where(overall > 0, mean / np.where(overall > 0, overall, 1.0), 1.0)
