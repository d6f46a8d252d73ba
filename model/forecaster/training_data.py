"""Training data in bounded space: sums per day for the linear model, a sample of rows for the forest."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from core.times import DAY_MS
from etl.arrays import BoolArray, FloatArray, IntArray, RowArray
from etl.features.raw_prices import STEPS_PER_DAY

__all__ = ["SufficientStatistics", "TrainingStore"]

_HalfArray = npt.NDArray[np.float16]

_MIN_STRIDE: Final = 3
"""At most every third row of a coin is sampled: neighbours say nearly the same."""


@dataclass(frozen=True)
class SufficientStatistics:
    """Sums from which a linear model is solved without the rows.

    Attributes:
        xx: products of the columns (p + 1, p + 1), where every row ends with a one; `xx[-1, -1]` counts the rows.
        xy: products with the targets (p + 1, q).
    """

    xx: FloatArray
    xy: FloatArray

    @classmethod
    def of(cls, x: npt.ArrayLike, y: npt.ArrayLike) -> SufficientStatistics:
        """Sum the rows of `x` (n, p) and `y` (n, q) in double precision."""
        rows = np.asarray(x, dtype=np.float64)
        rows = np.concatenate([rows, np.ones((len(rows), 1))], axis=1)
        return cls(rows.T @ rows, rows.T @ np.asarray(y, dtype=np.float64))

    def __add__(self, other: SufficientStatistics) -> SufficientStatistics:
        return SufficientStatistics(self.xx + other.xx, self.xy + other.xy)

    @property
    def rows(self) -> int:
        """Number of rows summed."""
        return int(self.xx[-1, -1])


@dataclass
class _Day:
    statistics: SufficientStatistics
    steps: set[int] = field(default_factory=set)
    x: list[_HalfArray] = field(default_factory=list)
    y: list[_HalfArray] = field(default_factory=list)
    ts_ms: list[IntArray] = field(default_factory=list)

    def drop_sample(self) -> None:
        for column in (self.x, self.y, self.ts_ms):
            column.clear()


class TrainingStore:
    """Rows with known outcomes, kept as one sum and one sample per UTC day; the oldest days are dropped.

    Args:
        days: window of the sums.
        sample_days: window of the sample, whose rows are kept as half-precision numbers.
        sample_rows: most rows that `sample` returns.
    """

    def __init__(self, days: int, sample_days: int, sample_rows: int) -> None:
        self.days = days
        self.sample_days = sample_days
        self.sample_rows = sample_rows
        self._days: dict[int, _Day] = {}

    @property
    def rows(self) -> int:
        """Number of rows in the sums."""
        return sum(day.statistics.rows for day in self._days.values())

    @property
    def effective_days(self) -> float:
        """Days of 5-minute steps that the rows cover, whatever the number of coins."""
        return sum(len(day.steps) for day in self._days.values()) / STEPS_PER_DAY

    def stride(self, rows_per_step: float) -> int:
        """Interval between sampled rows with which a full window keeps about `sample_rows`."""
        return max(_MIN_STRIDE, round(rows_per_step * self.sample_days * STEPS_PER_DAY / self.sample_rows))

    def add(self, ts_ms: IntArray, x: RowArray, y: RowArray, sampled: BoolArray) -> None:
        """Add rows `x` (n, p) with their targets `y` (n, q); those `sampled` (n,) are kept for the forest too."""
        for day in np.unique(ts_ms // DAY_MS):
            rows = ts_ms // DAY_MS == day
            statistics = SufficientStatistics.of(x[rows], y[rows])
            known = self._days.get(int(day))
            if known is None:
                known = self._days.setdefault(int(day), _Day(statistics))
            else:
                known.statistics = known.statistics + statistics
            known.steps.update(np.unique(ts_ms[rows]).tolist())
            rows &= sampled
            known.x.append(x[rows].astype(np.float16))
            known.y.append(y[rows].astype(np.float16))
            known.ts_ms.append(ts_ms[rows])

    def forget(self, now_ms: int) -> None:
        """Drop whole days, and the samples of whole days, that are too old at `now_ms`."""
        for day in sorted(self._days):
            age_ms = now_ms - (day + 1) * DAY_MS
            if age_ms >= self.days * DAY_MS:
                del self._days[day]
            elif age_ms >= self.sample_days * DAY_MS:
                self._days[day].drop_sample()

    def statistics(self) -> SufficientStatistics | None:
        """The sums over all days, None without any row."""
        days = [self._days[day].statistics for day in sorted(self._days)]
        return sum(days[1:], days[0]) if days else None

    def sample(self) -> tuple[RowArray, RowArray]:
        """The sampled rows and targets in order of time, thinned evenly to at most `sample_rows`; empty without any."""
        days = [day for _, day in sorted(self._days.items()) if day.x]
        if not days:
            return np.zeros((0, 0), dtype=np.float32), np.zeros((0, 0), dtype=np.float32)
        for day in days:
            day.x, day.y = [np.concatenate(day.x)], [np.concatenate(day.y)]
            day.ts_ms = [np.concatenate(day.ts_ms)]
        x, y = np.concatenate([day.x[0] for day in days]), np.concatenate([day.y[0] for day in days])
        order = np.argsort(np.concatenate([day.ts_ms[0] for day in days]), kind="stable")
        if len(order) > self.sample_rows:
            order = order[np.linspace(0, len(order) - 1, self.sample_rows).astype(np.int64)]
        return x[order].astype(np.float32), y[order].astype(np.float32)
