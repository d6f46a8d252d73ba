"""The point forecast: the last price, moved only as far as walk-forward evidence demands.

A strongly shrunk linear model of the scaled moves on past moves makes, at every grid row, the bet it would have made.
Once the outcome is known, the bets are judged day by day; per horizon they are published in the proportion in which
they have paid, less three standard errors. In liquid markets that is nothing at all, and then the centre IS the last
price.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from etl.outcomes import STEPS
from etl.transform import FEATURE_NAMES
from model.moments import DAY_MS, Moments

__all__ = ["SIGNED_COLUMNS", "PointForecast", "StandstillTracker"]

FloatArray = npt.NDArray[np.float64]
RowArray = npt.NDArray[np.float32]

SIGNED_COLUMNS: Final = [n for n, name in enumerate(FEATURE_NAMES) if name.startswith(("move_", "market_move_"))]
"""The columns that know a direction."""

_LIMIT: Final = 4.0
_ALPHA: Final = 1.0
_DOUBT: Final = 3.0
_LEAST_DAYS: Final = 7
_LEAST_ROWS: Final = 2_000
_DENSITY: Final = 0.4
"""Height of the density of a scaled move near zero: turns a shifted mean into a probability of a rise."""


class PointForecast:
    """Learns bets on the direction and what they have been worth; `shrinkage` (STEPS,) is 0 where there is no
    evidence.
    """

    def __init__(self, days: int) -> None:
        self.days = days
        self._moments: dict[int, Moments] = {}
        self._worth: dict[int, FloatArray] = {}
        self._coef: FloatArray | None = None
        self.shrinkage: FloatArray = np.zeros(STEPS)

    def bets(self, x: RowArray) -> FloatArray:
        """Return the unshrunk mean of the scaled moves (..., STEPS) for rows `x` (..., features); NaN before a fit."""
        if self._coef is None:
            return np.full((*x.shape[:-1], STEPS), np.nan)
        return np.asarray(x[..., SIGNED_COLUMNS].astype(np.float64) @ self._coef)

    def mean(self, x: RowArray) -> FloatArray:
        """Return the published mean of the scaled moves (..., STEPS): exactly 0 without evidence."""
        if not self.shrinkage.any():
            return np.zeros((*x.shape[:-1], STEPS))
        return np.nan_to_num(self.bets(x)) * self.shrinkage

    def rise(self, mean: FloatArray) -> FloatArray:
        """Return the probability that a move which is not zero is a rise, for a published mean."""
        return np.clip(0.5 + _DENSITY * mean, 0.05, 0.95)

    def learn(self, ts_ms: npt.NDArray[np.int64], x: RowArray, bets: FloatArray, scaled_move: FloatArray) -> None:
        """Learn from rows `x` (n, features), the bets made on them (n, STEPS) and what came (n, STEPS, no NaN)."""
        move = np.clip(scaled_move, -_LIMIT, _LIMIT)
        for day in np.unique(ts_ms // DAY_MS):
            rows = ts_ms // DAY_MS == day
            moments = Moments.of(x[rows][:, SIGNED_COLUMNS], move[rows])
            known = self._moments.get(int(day))
            self._moments[int(day)] = moments if known is None else known + moments
            placed = np.nan_to_num(bets[rows])
            worth = np.stack([(placed * np.sign(move[rows])).sum(axis=0), 2 * _DENSITY * (placed * placed).sum(axis=0)])
            self._worth[int(day)] = self._worth.get(int(day), 0.0) + worth

    def refit(self, now_ms: int) -> None:
        """Fit the bets afresh and judge those made so far."""
        oldest = now_ms // DAY_MS - self.days
        self._moments = {day: sums for day, sums in self._moments.items() if day >= oldest}
        self._worth = {day: sums for day, sums in self._worth.items() if day >= oldest - self.days}
        total = sum((self._moments[day] for day in sorted(self._moments)), start=_nothing())
        if total.rows >= _LEAST_ROWS:
            square, cross = total.xx[:-1, :-1] / total.rows, total.xy[:-1] / total.rows
            penalty = _ALPHA * np.diag(np.diag(square) + 1e-6)
            self._coef = np.asarray(np.linalg.solve(square + penalty, cross), dtype=np.float64)
        self.shrinkage = self._judge()

    def _judge(self) -> FloatArray:
        """Return the multiple of the bets that minimises the absolute error, less its doubt; 0 without evidence.

        Near zero the mean absolute error of centre k b falls by k E[b sign(y)] and rises by k² f(0) E[b²]; days are
        taken as independent blocks for the standard error of the best k.
        """
        days = [self._worth[day] for day in sorted(self._worth) if self._worth[day][1].any()]
        if len(days) < _LEAST_DAYS:
            return np.zeros(STEPS)
        gain, size = np.stack(days, axis=1)
        slope = gain.sum(axis=0) / size.sum(axis=0)
        error = np.sqrt(((gain - slope * size) ** 2).sum(axis=0)) / size.sum(axis=0)
        return np.asarray(np.clip(slope - _DOUBT * error, 0.0, 1.0))


def _nothing() -> Moments:
    columns = len(SIGNED_COLUMNS) + 1
    return Moments(np.zeros((columns, columns)), np.zeros((columns, STEPS)))


class StandstillTracker:
    """Recent share of moves that were exactly zero, per coin and horizon: then neither a rise nor a fall comes."""

    def __init__(self, half_life_rows: float) -> None:
        self.half_life_rows = half_life_rows
        self._zero = np.zeros((0, STEPS))
        self._seen = np.zeros((0, STEPS))

    def widen(self, coins: int) -> None:
        """Make room for `coins` coins."""
        missing = coins - len(self._zero)
        self._zero = np.concatenate([self._zero, np.zeros((missing, STEPS))])
        self._seen = np.concatenate([self._seen, np.zeros((missing, STEPS))])

    def learn(self, coins: npt.NDArray[np.int64], move: FloatArray) -> None:
        """Learn from moves (n, k, STEPS); NaN is not counted. Within one call all rows weigh the same."""
        known = np.isfinite(move)
        decay = 0.5 ** (known.sum(axis=0) / self.half_life_rows)
        self._zero[coins] = decay * self._zero[coins] + (move == 0.0).sum(axis=0)
        self._seen[coins] = decay * self._seen[coins] + known.sum(axis=0)

    def share(self, coins: npt.NDArray[np.int64]) -> FloatArray:
        """Return the share (k, STEPS), drawn towards zero while little has been seen."""
        return np.asarray(self._zero[coins] / (self._seen[coins] + 20.0))
