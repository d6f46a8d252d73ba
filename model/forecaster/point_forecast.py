"""The point forecast: the last price, moved only as far as walk-forward evidence demands.

A strongly shrunk linear model predicts a drift at every grid row: the mean of the scaled move, from past moves. Once
the outcome is known, the drift is judged by the absolute error that following it would have saved: per horizon over
all coins, day by day, and per coin and horizon. The drift is published multiplied by the best factor found so, less
four standard errors, and only for coins on which it did not lose. Mostly the factor is 0, and the centre is the last
price.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from core.times import DAY_MS
from etl.arrays import FloatArray, IntArray, RowArray
from etl.features.columns import FEATURE_NAMES
from etl.features.targets import STEPS
from model.forecaster.passed_time import times_passed
from model.forecaster.training_data import SufficientStatistics

__all__ = ["SIGNED_COLUMNS", "PointForecast"]


SIGNED_COLUMNS: Final = [n for n, name in enumerate(FEATURE_NAMES) if name.startswith(("move_", "market_move_"))]
"""The feature columns that have a direction."""

_MAX_SCALED_MOVE: Final = 4.0
"""Scaled moves are clipped here: a crash teaches no more than four standard deviations."""

_ALPHA: Final = 1.0
"""Ridge penalty relative to each column's own variance: every coefficient is halved, at least."""

_STANDARD_ERRORS: Final = 4.0
"""Doubt subtracted from the best factor. With three the centre lost in the crash (docs/forecasting.md)."""

_MIN_DAYS: Final = 7
_MIN_ROWS: Final = 2_000
"""With fewer days no drift is published, with fewer rows none is fitted."""

_COIN_SKILL_DECAY: Final = 0.5 ** (1 / 2016)
"""Per grid point: half-life of a week."""

_DENSITY: Final = 0.4
"""Density of a scaled move at zero (the normal's is 0.3989): turns a shifted mean into a probability of a rise."""


class PointForecast:
    """Learns a drift and how much of it walk-forward evidence supports.

    Args:
        days: window of the fit; the evidence may be twice as old.

    Attributes:
        shrinkage: factor of the drift per horizon (STEPS,), from 0 (no evidence) to 1.
    """

    def __init__(self, days: int) -> None:
        self.days = days
        self.shrinkage: FloatArray = np.zeros(STEPS)
        self._statistics: dict[int, SufficientStatistics] = {}
        self._daily_skill: dict[int, FloatArray] = {}
        self._coef: FloatArray | None = None
        self._coin_skill: FloatArray = np.zeros((0, STEPS))
        self._newest_ms = -1

    def widen(self, coins: int) -> None:
        """Make room for `coins` coins."""
        self._coin_skill = np.concatenate([self._coin_skill, np.zeros((coins - len(self._coin_skill), STEPS))])

    def forget(self, coins: IntArray) -> None:
        """Reset coins (k,): other coins have taken their numbers."""
        self._coin_skill[coins] = 0.0

    def drift(self, x: RowArray) -> FloatArray:
        """Mean of the scaled moves (..., STEPS) before shrinkage, for rows `x` (..., features); NaN before a fit."""
        if self._coef is None:
            return np.full((*x.shape[:-1], STEPS), np.nan)
        return np.asarray(x[..., SIGNED_COLUMNS].astype(np.float64) @ self._coef)

    def mean(self, x: RowArray, coins: IntArray) -> FloatArray:
        """Published mean of the scaled moves (k, STEPS) for rows `x` (k, features): 0 without evidence."""
        trusted = self.shrinkage * (self._coin_skill[coins] > 0)
        return np.nan_to_num(self.drift(x)) * trusted

    def p_up(self, mean: FloatArray) -> FloatArray:
        """Probability of a rise for a published mean; half of the probability of no move counts as a rise."""
        return np.clip(0.5 + _DENSITY * mean, 0.05, 0.95)

    def learn(self, ts_ms: IntArray, coins: IntArray, x: RowArray, drift: FloatArray, scaled_move: FloatArray) -> None:
        """Judge the drift predicted on matured rows, then take the rows in.

        The error saved by a small step b towards the drift is b sign(y), or -|b| where nothing moved; moving past the
        median costs f(0) b² in the mean, with the density f at zero. The skill of coins fades once for each
        time that passed (`times_passed`).

        Args:
            ts_ms: times of the rows (n,).
            coins: column numbers (n,).
            x: features (n, features).
            drift: what `drift` returned for the rows at their time (n, STEPS); NaN where there was no fit.
            scaled_move: log moves in units of volatility (n, STEPS).
        """
        move = np.clip(scaled_move, -_MAX_SCALED_MOVE, _MAX_SCALED_MOVE)
        predicted = np.nan_to_num(drift)
        gain = np.where(move == 0.0, -np.abs(predicted), predicted * np.sign(move))
        penalty = 2 * _DENSITY * predicted * predicted
        passed, self._newest_ms = times_passed(ts_ms, self._newest_ms)
        self._coin_skill *= _COIN_SKILL_DECAY**passed
        np.add.at(self._coin_skill, coins, gain - 0.5 * penalty)
        for day in np.unique(ts_ms // DAY_MS):
            rows = ts_ms // DAY_MS == day
            statistics = SufficientStatistics.of(x[rows][:, SIGNED_COLUMNS], move[rows])
            known = self._statistics.get(int(day))
            self._statistics[int(day)] = statistics if known is None else known + statistics
            skill = np.stack([gain[rows].sum(axis=0), penalty[rows].sum(axis=0)])
            self._daily_skill[int(day)] = self._daily_skill.get(int(day), 0.0) + skill

    def refit(self, now_ms: int) -> None:
        """Fit the drift again and measure how much of it to publish."""
        oldest = now_ms // DAY_MS - self.days
        self._statistics = {day: sums for day, sums in self._statistics.items() if day >= oldest}
        self._daily_skill = {day: sums for day, sums in self._daily_skill.items() if day >= oldest - self.days}
        total = sum((self._statistics[day] for day in sorted(self._statistics)), start=_no_rows())
        if total.rows >= _MIN_ROWS:
            square, cross = total.xx[:-1, :-1] / total.rows, total.xy[:-1] / total.rows
            penalty = _ALPHA * np.diag(np.diag(square) + 1e-6)
            self._coef = np.asarray(np.linalg.solve(square + penalty, cross), dtype=np.float64)
        self.shrinkage = self._measured_shrinkage()

    def _measured_shrinkage(self) -> FloatArray:
        """The factor that would have saved most absolute error, less four standard errors; 0 without evidence.

        The mean absolute error of the centre k b falls by k E[b sign(y)], less k E[|b|] where nothing moves, and rises
        by k² f(0) E[b²]; days are taken as independent blocks for the standard error of the best k.
        """
        days = [self._daily_skill[day] for day in sorted(self._daily_skill) if self._daily_skill[day][1].any()]
        if len(days) < _MIN_DAYS:
            return np.zeros(STEPS)
        gain, penalty = np.stack(days, axis=1)
        best = gain.sum(axis=0) / penalty.sum(axis=0)
        error = np.sqrt(((gain - best * penalty) ** 2).sum(axis=0)) / penalty.sum(axis=0)
        return np.asarray(np.clip(best - _STANDARD_ERRORS * error, 0.0, 1.0))


def _no_rows() -> SufficientStatistics:
    columns = len(SIGNED_COLUMNS) + 1
    return SufficientStatistics(np.zeros((columns, columns)), np.zeros((columns, STEPS)))
