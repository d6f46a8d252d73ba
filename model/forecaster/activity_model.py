"""Predicts how much prices will move: networks trained beforehand, an online ridge, and two corrections.

The networks' output is fixed; the ridge learns online what they leave, starting from the prior's coefficients. Prices a
minute apart and the forest correct the sum, each as far as its own record out of sample supports.
"""

from __future__ import annotations

import copy
from typing import Final

import numpy as np

from etl.arrays import BoolArray, FloatArray, IntArray, RowArray
from etl.features.columns import BASE_FEATURES
from etl.features.targets import STEPS
from model.forecaster.evidence_share import CoinGroups, EvidenceShare
from model.forecaster.options import EngineOptions
from model.forecaster.pending_rows import Prediction
from model.forecaster.prior import Prior
from model.forecaster.training_data import TrainingStore
from model.forecaster.volatility_models import RollingForest, VolatilityRidge

__all__ = ["ActivityModel"]


_BASE: Final = len(BASE_FEATURES)

_PRIOR_LEVEL_ROWS: Final = 10_000.0
"""Rows that the prior's level is worth: levels differ between markets more than coefficients do."""

_FULL_DAYS: Final = 14.0
_MIN_DAYS: Final = 0.25
"""The ridge penalty is set for 14 days of rows; with fewer it grows in proportion, up to that of six hours."""

_LIFETIME_H_A_DAY: Final = 8.0
"""While few days of rows are known, trees live 8 hours per known day: the forest follows a short history faster."""

_MINUTE_BELIEF_DAYS: Final = 3.0
"""The prior's word that minutes help is worth three days of outcomes."""

_ACTIVITY_RANGE: Final = (-2.0, 2.2)
"""Bounds of the log activity: less than an eighth or more than nine times the fast volatility is not believed."""


class ActivityModel:
    """Log activity of each horizon from feature rows, learned online.

    Attributes:
        minute_share: how much of the correction by minutes is used, by group of coins.
        forest_share: how much of the forest's correction is used, by group of coins.
    """

    def __init__(self, options: EngineOptions, prior: Prior | None) -> None:
        self.options = options
        self.prior = prior
        self.minute_share = EvidenceShare(options.train_days, 1.0, _MINUTE_BELIEF_DAYS, 0.0, 1.0)
        self.forest_share = EvidenceShare(options.train_days, 0.0, 0.0, 1.0, options.forest_limit)
        self._store = TrainingStore(options.train_days, options.sample_days, options.sample_rows)
        self._ridge = None if prior is None else VolatilityRidge(prior=prior.linear).fit_prior()
        self._forest: RollingForest | None = None
        self._groups = CoinGroups()

    def widen(self, coins: int) -> None:
        """Make room for `coins` coins."""
        self._groups.widen(coins)

    def forget(self, coins: IntArray) -> None:
        """Reset coins (k,): other coins have taken their numbers."""
        self._groups.forget(coins)

    @property
    def rows(self) -> int:
        """Rows in the window."""
        return self._store.rows

    @property
    def days(self) -> float:
        """Days that they cover."""
        return self._store.effective_days

    @property
    def min_rows(self) -> int:
        """Rows without which nothing is fitted."""
        return self.options.min_rows if self.prior is None else self.options.min_rows_prior

    @property
    def is_complete(self) -> bool:
        """Whether the forest is grown, where one is wanted."""
        return self._forest is not None or not self.options.use_forest

    def shares(self) -> str:
        """How much of each correction is used, from calm to lively coins, for the log."""
        parts = {"forest": self.forest_share.share, "minutes": self.minute_share.share}
        return ", ".join(f"{name} {' / '.join(f'{part:.2f}' for part in share)}" for name, share in parts.items())

    def predict(self, rows: RowArray, coins: IntArray, found: Prediction, wanted: BoolArray) -> None:
        """Fill in all but the drift of `found` where `wanted`; nothing without a prior before the first fit.

        Args:
            rows: features (n, features).
            coins: column numbers (n,).
            found: arrays (..., STEPS).
            wanted: mask (...) with n true values, the rows in order.
        """
        if self._ridge is None:
            return
        group = self._groups.of(coins)
        linear = self._ridge.predict(rows[:, :_BASE])
        found.base[wanted] = activity = linear + self._offset(rows)
        if self.prior is not None and self.options.use_minutes:
            found.minutes[wanted] = minutes = self.prior.minute_correction(rows)
            activity = activity + self.minute_share.share[group][:, None] * minutes
        if self._forest is not None:
            found.forest[wanted] = forest = self._forest.predict(rows[:, :_BASE]) - linear
            activity = activity + self.forest_share.share[group][:, None] * forest
        found.activity[wanted] = np.clip(activity, *_ACTIVITY_RANGE)

    def _offset(self, rows: RowArray) -> FloatArray:
        return np.zeros((len(rows), STEPS)) if self.prior is None else self.prior.offset(rows)

    def judge(
        self, ts_ms: IntArray, coins: IntArray, vol_fast: FloatArray, predicted: Prediction, activity: FloatArray
    ) -> FloatArray:
        """Judge the corrections predicted on matured rows; minutes first, then the forest by what they left.

        Args:
            ts_ms: times of the rows (n,).
            coins: column numbers (n,).
            vol_fast: fast volatility (n,).
            predicted: what was predicted on the rows at their time (n, STEPS).
            activity: log activity that followed (n, STEPS).

        Returns:
            The log activity less the correction by minutes (n, STEPS), which ridge and forest learn from.
        """
        group = self._groups.of(coins)
        self._groups.learn(coins, vol_fast)
        residual = activity - predicted.base
        self.minute_share.learn(ts_ms, group, predicted.minutes, residual)
        minutes = self.minute_share.share[group][:, None] * np.nan_to_num(predicted.minutes)
        self.forest_share.learn(ts_ms, group, predicted.forest, residual - minutes)
        return activity - minutes

    def keep(self, ts_ms: IntArray, x: RowArray, left: FloatArray, turn: IntArray, rows_per_step: float) -> None:
        """Store the rows whose activity is known at all horizons, for ridge and forest.

        Args:
            ts_ms: times of the rows (n,).
            x: features (n, features).
            left: log activity that followed, less the correction by minutes (n, STEPS), see `judge`.
            turn: running numbers of the rows of a coin (n,); every so-and-so many-th is kept for the forest too.
            rows_per_step: rows that a grid step teaches.
        """
        whole = np.isfinite(left).all(axis=-1)
        sampled = turn % self._store.stride(rows_per_step) == 0
        target = (left[whole] - self._offset(x[whole])).astype(np.float32)
        self._store.add(ts_ms[whole], x[whole, :_BASE], target, sampled[whole])

    def without_rows(self) -> ActivityModel:
        """The same model without the rows that it was fitted to: what is needed to predict."""
        light = copy.copy(self)
        light._store = TrainingStore(self._store.days, self._store.sample_days, self._store.sample_rows)
        return light

    def refit(self, now_ms: int) -> bool:
        """Solve the ridge from the sums, renew a part of the forest, and measure what the corrections are worth.

        Returns:
            Whether there were rows enough.
        """
        self._store.forget(now_ms)
        self.minute_share.refit(now_ms)
        self.forest_share.refit(now_ms)
        statistics = self._store.statistics()
        if statistics is None or self.rows < self.min_rows:
            return False
        options, prior = self.options, self.prior
        scarcity = _FULL_DAYS / min(max(self.days, _MIN_DAYS), _FULL_DAYS)
        self._ridge = VolatilityRidge(
            alpha=(options.alpha if prior is None else options.alpha_prior) * scarcity,
            prior=None if prior is None else prior.linear,
            prior_rows=_PRIOR_LEVEL_ROWS,
        ).fit_statistics(statistics)
        if options.use_forest:
            self._renew_forest(now_ms)
        return True

    def _renew_forest(self, now_ms: int) -> None:
        """Grow trees from the sample. Days without prices leave no sample; then the old trees stay."""
        options = self.options
        x, y = self._store.sample()
        if not len(x):
            if self._forest is not None:
                self._forest.wait(now_ms)
        elif self._forest is None:
            self._forest = RollingForest(
                n_trees=options.n_trees,
                lifetime_h=options.forest_lifetime_h,
                n_jobs=options.n_jobs,
                random_state=options.seed,
            ).fit(x, y, now_ms)
        else:
            self._forest.renew(x, y, now_ms, min(options.forest_lifetime_h, _LIFETIME_H_A_DAY * self.days))
