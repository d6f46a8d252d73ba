"""Training data in bounded space: running sums per day for the linear model, sampled rows for the forest."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from core.times import DAY_MS
from etl.arrays import BoolArray, FloatArray, IntArray, RowArray
from etl.features.raw_prices import STEPS_PER_DAY

__all__ = ["Moments", "TrainingStore"]

_HalfArray = npt.NDArray[np.float16]


@dataclass(frozen=True)
class Moments:
    """Sums that a linear model needs: `xx` (p + 1, p + 1) and `xy` (p + 1, q) of rows bordered by a one.

    `xx[-1, -1]` is the number of rows.
    """

    xx: FloatArray
    xy: FloatArray

    @classmethod
    def of(cls, x: npt.ArrayLike, y: npt.ArrayLike) -> Moments:
        """Sum the rows of `x` (n, p) and `y` (n, q) in double precision."""
        rows = np.asarray(x, dtype=np.float64)
        rows = np.concatenate([rows, np.ones((len(rows), 1))], axis=1)
        return cls(rows.T @ rows, rows.T @ np.asarray(y, dtype=np.float64))

    def __add__(self, other: Moments) -> Moments:
        return Moments(self.xx + other.xx, self.xy + other.xy)

    @property
    def rows(self) -> int:
        """Number of rows summed."""
        return int(self.xx[-1, -1])


@dataclass
class _Day:
    moments: Moments
    steps: set[int] = field(default_factory=set)
    x: list[_HalfArray] = field(default_factory=list)
    y: list[_HalfArray] = field(default_factory=list)
    ts_ms: list[IntArray] = field(default_factory=list)

    def drop_sample(self) -> None:
        for column in (self.x, self.y, self.ts_ms):
            column.clear()


class TrainingStore:
    """Rows whose outcome is known, kept as one sum and a sample per UTC day; the oldest days fall out.

    Every row of the last `days` counts in the sums; those marked as sampled are kept for the forest, as half-precision
    numbers, for `sample_days`.
    """

    def __init__(self, days: int, sample_days: int, sample_rows: int) -> None:
        self.days = days
        self.sample_days = sample_days
        self.sample_rows = sample_rows
        self._days: dict[int, _Day] = {}

    @property
    def rows(self) -> int:
        """Number of rows in the sums."""
        return sum(day.moments.rows for day in self._days.values())

    @property
    def effective_days(self) -> float:
        """Days of 5-minute steps that the rows cover, whatever the number of coins."""
        return sum(len(day.steps) for day in self._days.values()) / STEPS_PER_DAY

    def stride(self, rows_per_step: float) -> int:
        """Return every which row is to be sampled, so that a full window keeps about `sample_rows`."""
        return max(3, round(rows_per_step * self.sample_days * STEPS_PER_DAY / self.sample_rows))

    def add(self, ts_ms: IntArray, x: RowArray, y: RowArray, sampled: BoolArray) -> None:
        """Add rows `x` (n, p) with their targets `y` (n, q); `sampled` (n,) tells which may be kept for the forest."""
        for day in np.unique(ts_ms // DAY_MS):
            rows = ts_ms // DAY_MS == day
            moments = Moments.of(x[rows], y[rows])
            known = self._days.get(int(day))
            if known is None:
                known = self._days.setdefault(int(day), _Day(moments))
            else:
                known.moments = known.moments + moments
            known.steps.update(np.unique(ts_ms[rows]).tolist())
            rows &= sampled
            known.x.append(x[rows].astype(np.float16))
            known.y.append(y[rows].astype(np.float16))
            known.ts_ms.append(ts_ms[rows])

    def forget(self, now_ms: int) -> None:
        """Drop what is older than it may be at `now_ms`: whole days, and the samples of whole days."""
        for day in sorted(self._days):
            age_ms = now_ms - (day + 1) * DAY_MS
            if age_ms >= self.days * DAY_MS:
                del self._days[day]
            elif age_ms >= self.sample_days * DAY_MS:
                self._days[day].drop_sample()

    def moments(self) -> Moments | None:
        """Return the sums over all days, None without any row."""
        days = [self._days[day].moments for day in sorted(self._days)]
        return sum(days[1:], days[0]) if days else None

    def sample(self) -> tuple[RowArray, RowArray]:
        """Return the sampled rows and targets in order of time, thinned evenly to at most `sample_rows`."""
        days = [day for _, day in sorted(self._days.items()) if day.x]
        for day in days:
            day.x, day.y = [np.concatenate(day.x)], [np.concatenate(day.y)]
            day.ts_ms = [np.concatenate(day.ts_ms)]
        x, y = np.concatenate([day.x[0] for day in days]), np.concatenate([day.y[0] for day in days])
        order = np.argsort(np.concatenate([day.ts_ms[0] for day in days]), kind="stable")
        if len(order) > self.sample_rows:
            order = order[np.linspace(0, len(order) - 1, self.sample_rows).astype(np.int64)]
        return x[order].astype(np.float32), y[order].astype(np.float32)
