"""The point forecast: the last price, moved only as far as walk-forward evidence demands.

A strongly shrunk linear model of the scaled moves on past moves makes a bet at every grid row. Once the outcome is
known, the bets are judged by the absolute error they would have saved: per horizon over all coins, day by day, and per
coin and horizon. They are published in the proportion in which they have paid, less four standard errors, and only for
coins on whose own record they did not lose. Mostly that is nothing at all, and then the centre IS the last price.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from core.times import DAY_MS
from etl.arrays import FloatArray, IntArray, RowArray
from etl.features.columns import FEATURE_NAMES
from etl.features.targets import STEPS
from model.forecaster.training_data import Moments

__all__ = ["SIGNED_COLUMNS", "PointForecast"]


SIGNED_COLUMNS: Final = [n for n, name in enumerate(FEATURE_NAMES) if name.startswith(("move_", "market_move_"))]
"""The columns that know a direction."""

_LIMIT: Final = 4.0
_ALPHA: Final = 1.0
_DOUBT: Final = 4.0
_LEAST_DAYS: Final = 7
_LEAST_ROWS: Final = 2_000
_RECORD_DECAY: Final = 0.5 ** (1 / 2016)
_DENSITY: Final = 0.4
"""Height of the density of a scaled move near zero: turns a shifted mean into a probability of a rise."""


class PointForecast:
    """Learns bets on the direction and what they have been worth.

    `shrinkage` (STEPS,) is the part of the bets that is published per horizon: 0 where there is no evidence.
    """

    def __init__(self, days: int) -> None:
        self.days = days
        self.shrinkage: FloatArray = np.zeros(STEPS)
        self._moments: dict[int, Moments] = {}
        self._worth: dict[int, FloatArray] = {}
        self._coef: FloatArray | None = None
        self._record: FloatArray = np.zeros((0, STEPS))

    @property
    def published(self) -> tuple[float, ...]:
        """The shrinkage as plain numbers."""
        return tuple(self.shrinkage.tolist())

    def widen(self, coins: int) -> None:
        """Make room for `coins` coins."""
        self._record = np.concatenate([self._record, np.zeros((coins - len(self._record), STEPS))])

    def bets(self, x: RowArray) -> FloatArray:
        """Return the unshrunk mean of the scaled moves (..., STEPS) for rows `x` (..., features); NaN before a fit."""
        if self._coef is None:
            return np.full((*x.shape[:-1], STEPS), np.nan)
        return np.asarray(x[..., SIGNED_COLUMNS].astype(np.float64) @ self._coef)

    def mean(self, x: RowArray, coins: IntArray) -> FloatArray:
        """Return the published mean of the scaled moves (k, STEPS) of rows `x` (k, features): 0 without evidence."""
        trusted = self.shrinkage * (self._record[coins] > 0)
        return np.nan_to_num(self.bets(x)) * trusted

    def rise(self, mean: FloatArray) -> FloatArray:
        """Return the probability of a rise for a published mean; half of the chance of no move counts as a rise."""
        return np.clip(0.5 + _DENSITY * mean, 0.05, 0.95)

    def learn(self, ts_ms: IntArray, coins: IntArray, x: RowArray, bets: FloatArray, scaled_move: FloatArray) -> None:
        """Learn from rows `x` (n, features) of coins (n,), the bets made on them and what came, both (n, STEPS)."""
        move = np.clip(scaled_move, -_LIMIT, _LIMIT)
        placed = np.nan_to_num(bets)
        saved = np.where(move == 0.0, -np.abs(placed), placed * np.sign(move))
        cost = 2 * _DENSITY * placed * placed
        self._record *= _RECORD_DECAY ** len(np.unique(ts_ms))
        np.add.at(self._record, coins, saved - 0.5 * cost)
        for day in np.unique(ts_ms // DAY_MS):
            rows = ts_ms // DAY_MS == day
            moments = Moments.of(x[rows][:, SIGNED_COLUMNS], move[rows])
            known = self._moments.get(int(day))
            self._moments[int(day)] = moments if known is None else known + moments
            worth = np.stack([saved[rows].sum(axis=0), cost[rows].sum(axis=0)])
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
        """Multiple of the bets that would have saved most absolute error, less its doubt; 0 without evidence.

        The mean absolute error of the centre k b falls by k E[b sign(y)], less k E[|b|] where nothing moves, and rises
        by k² f(0) E[b²]; days are taken as independent blocks for the standard error of the best k.
        """
        days = [self._worth[day] for day in sorted(self._worth) if self._worth[day][1].any()]
        if len(days) < _LEAST_DAYS:
            return np.zeros(STEPS)
        saved, cost = np.stack(days, axis=1)
        best = saved.sum(axis=0) / cost.sum(axis=0)
        error = np.sqrt(((saved - best * cost) ** 2).sum(axis=0)) / cost.sum(axis=0)
        return np.asarray(np.clip(best - _DOUBT * error, 0.0, 1.0))


def _nothing() -> Moments:
    columns = len(SIGNED_COLUMNS) + 1
    return Moments(np.zeros((columns, columns)), np.zeros((columns, STEPS)))
