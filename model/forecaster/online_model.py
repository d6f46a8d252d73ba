"""Everything that is learned online: two volatility models, their calibration, the gate, and the point forecast."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from core.times import GRID_STEP_MS
from etl.arrays import BoolArray, FloatArray, IntArray, RowArray
from etl.features.columns import FEATURE_NAMES
from etl.features.feature_grid import OriginRows
from etl.features.targets import STEP_ROOTS, STEPS, Outcomes, Reached
from model.forecaster.activity_history import ActivityHistory
from model.forecaster.baseline_gate import BaselineGate, interval_loss
from model.forecaster.calibration import Calibration, generic_shape
from model.forecaster.forecasts import Spread
from model.forecaster.pending_rows import PendingRows
from model.forecaster.point_forecast import PointForecast
from model.forecaster.prior import Prior
from model.forecaster.reach import ReachCalibration
from model.forecaster.training_data import TrainingStore
from model.forecaster.volatility_models import RollingForest, VolatilityRidge

__all__ = ["EngineOptions", "FitReport", "OnlineModel"]


_MINUTE_WEIGHTS: Final = slice(len(FEATURE_NAMES) - 12, len(FEATURE_NAMES))
_MIN_COINS_A_STEP: Final = 32
"""Each grid point teaches from at least so many coins, where there are more."""

_GENERIC_ROWS: Final = 500.0
_PRIOR_ROWS: Final = 3_000.0
"""Outcomes that the first shape is worth: Student's t, and the prior's, which was measured in other months."""

_PRIOR_LEVEL_ROWS: Final = 2_000.0
"""PendingRows that the prior's level is worth: levels differ between markets more than coefficients do."""

_FULL_DAYS: Final = 14.0
_MIN_DAYS: Final = 0.25
"""The ridge penalty is set for 14 days of rows; with fewer it grows in proportion, up to that of six hours."""

_LIFETIME_H_A_DAY: Final = 8.0
"""While few days of rows are known, trees live 8 hours per known day: the forest follows a short history faster."""

_ACTIVITY_RANGE: Final = (-2.0, 2.2)
"""Bounds of the log activity: less than an eighth or more than nine times the fast volatility is not believed."""


@dataclass(frozen=True)
class EngineOptions:
    """Sizes and constants of the engine.

    Attributes:
        train_days: window of training and calibration.
        seed: seed of the forest.
        n_jobs: threads of the forest; no result depends on it.
        use_forest: False leaves the ridge alone (for comparisons).
        n_trees: trees in the forest.
        forest_lifetime_h: hours until all trees have been replaced.
        sample_days: days of rows that the forest is grown from.
        sample_rows: most rows that a tree is grown from: a year of history costs no more than a week.
        forest_weight: weight of the forest in the mean of the two models once `forest_full_days` of rows are known.
        forest_full_days: until then the weight grows in proportion to the days.
        alpha: ridge penalty at 14 days of rows, without a prior; it grows as rows get fewer.
        alpha_prior: the same with a prior.
        tracker_step: step of the coverage tracker, in log width per outcome.
        gate_half_life_h: half-life of the losses that the gate compares, in hours.
        min_rows: rows without which nothing is fitted, without a prior.
        min_rows_prior: the same with a prior; few rows then move the ridge little, and the forest's weight is small.
        min_outcomes: outcomes without which the intervals are not trusted.
    """

    train_days: int = 14
    seed: int = 0
    n_jobs: int = 1
    use_forest: bool = True
    n_trees: int = 40
    forest_lifetime_h: float = 168.0
    sample_days: int = 6
    sample_rows: int = 24_000
    forest_weight: float = 0.3
    forest_full_days: float = 5.0
    alpha: float = 0.1
    alpha_prior: float = 2.0
    tracker_step: float = 0.0005
    gate_half_life_h: float = 84.0
    min_rows: int = 500
    min_rows_prior: int = 100
    min_outcomes: int = 500


@dataclass(frozen=True)
class FitReport:
    """What a refit did.

    Attributes:
        fitted: whether there were rows enough.
        rows: rows in the window.
        days: days that they cover.
        message: a sentence for the log.
        shrinkage: per horizon, the part of the drift that is published; 0: the point forecast is the last price.
    """

    fitted: bool
    rows: int
    days: float
    message: str
    shrinkage: tuple[float, ...]


class OnlineModel:
    """The learned part of the engine: it knows coins by column number, and feature rows, but no prices."""

    def __init__(self, options: EngineOptions, prior: Prior | None) -> None:
        self.options = options
        self.prior = prior
        self.refit_ms: int | None = None
        self.gate = BaselineGate(options.gate_half_life_h * 12)
        self.point = PointForecast(options.train_days)
        self.store = TrainingStore(options.train_days, options.sample_days, options.sample_rows)
        shape = generic_shape() if prior is None else prior.shape
        baseline_shape = generic_shape() if prior is None else prior.baseline_shape
        shape_rows = _GENERIC_ROWS if prior is None else _PRIOR_ROWS
        self._calibration = Calibration(options.train_days, shape, shape_rows, True, options.tracker_step)
        self._baseline = Calibration(options.train_days, baseline_shape, shape_rows, False, 0.0)
        self._reach = ReachCalibration(options.train_days, shape)
        self._baseline_reach = ReachCalibration(options.train_days, baseline_shape)
        self.activity_history = ActivityHistory()
        self._ridge = None if prior is None else VolatilityRidge(prior=prior).fit_prior()
        self._forest: RollingForest | None = None
        self._forest_weight = 0.0
        self._coins = 0

    def widen(self, coins: int) -> None:
        """Make room for `coins` coins."""
        self._coins = coins
        for part in (self._calibration, self._baseline, self.gate, self.point, self.activity_history):
            part.widen(coins)

    @property
    def can_fit(self) -> bool:
        """Whether there are enough rows to fit the models."""
        return self.store.rows >= self._min_rows

    @property
    def _min_rows(self) -> int:
        return self.options.min_rows if self.prior is None else self.options.min_rows_prior

    @property
    def is_ready(self) -> bool:
        """Whether the forest is grown and enough outcomes are known to trust the intervals."""
        with_forest = self._forest is not None or not self.options.use_forest
        return with_forest and self._calibration.rows >= self.options.min_outcomes

    def in_turn(self, ts_ms: IntArray, coins: IntArray) -> BoolArray:
        """Mask (n, k) of the rows to learn from: all with up to 63 coins, then every `_stride`-th row of each coin.

        Neighbouring rows say nearly the same; this bounds the cost of a grid step, whatever the number of coins.
        """
        return np.asarray((ts_ms[:, None] // GRID_STEP_MS + coins) % self._stride == 0)

    @property
    def _stride(self) -> int:
        return max(1, self._coins // _MIN_COINS_A_STEP)

    def predict(self, x: RowArray, wanted: BoolArray) -> tuple[FloatArray, FloatArray]:
        """Predict the log activity and the drift.

        Args:
            x: features (..., features).
            wanted: rows to predict (...).

        Returns:
            Two arrays (..., STEPS); NaN where not wanted or before a fit.
        """
        activity = np.full((*wanted.shape, STEPS), np.nan)
        drift = np.full_like(activity, np.nan)
        rows = x[wanted]
        if len(rows):
            drift[wanted] = self.point.drift(rows)
            if self._ridge is not None:
                activity[wanted] = self._activity(self._ridge, rows)
        return activity, drift

    def _activity(self, ridge: VolatilityRidge, rows: RowArray) -> FloatArray:
        activity = ridge.predict(rows)
        if self._forest is not None:
            activity = (1.0 - self._forest_weight) * activity + self._forest_weight * self._forest.predict(rows)
        return np.asarray(np.clip(activity, *_ACTIVITY_RANGE))

    def scale(self, activity: FloatArray, vol_fast: FloatArray, x: RowArray) -> FloatArray:
        """Predicted scales of the moves (..., STEPS), from predicted log activities (..., STEPS)."""
        return np.asarray(
            np.exp(activity)
            * vol_fast[..., None]
            * STEP_ROOTS
            * self._calibration.phase_factor(x[..., _MINUTE_WEIGHTS])
        )

    def note_activity(self, ts_ms: IntArray, coins: IntArray, activity: FloatArray, vol_fast: FloatArray) -> None:
        """Remember the activity predicted on grid rows (n, k, STEPS), one an hour, with their volatilities (n, k)."""
        self.activity_history.note(ts_ms, coins, _hour_scale(activity, vol_fast))

    def baseline_spread(self, at: OriginRows, coins: IntArray) -> Spread:
        """How far the baseline lets k coins move."""
        scale = at.vol_fast[:, None] * STEP_ROOTS
        return Spread(self._baseline.half_widths(scale, coins), self._baseline_reach.quantiles(scale, at.dense))

    def model_spread(self, at: OriginRows, coins: IntArray) -> tuple[Spread, FloatArray]:
        """How far the model lets k coins move, and the hour's scale (k,); NaN where it cannot tell or before a fit."""
        activity, _ = self.predict(at.x, at.usable)
        scale = self.scale(activity, at.vol_fast, at.x)
        spread = Spread(self._calibration.half_widths(scale, coins), self._reach.quantiles(scale, at.dense))
        return spread, _hour_scale(activity, at.vol_fast)

    def learn(self, rows: PendingRows, coins: IntArray, outcomes: Outcomes, reached: Reached) -> None:
        """Learn from matured rows (n, k) in order of time: judge their predictions first, then add them to the data.

        Args:
            rows: grid rows with the predictions made on them.
            coins: column numbers (k,).
            outcomes: what followed the rows.
            reached: how far the prices went after them.
        """
        row, column = np.nonzero(rows.usable & self.in_turn(rows.ts_ms, coins))
        if not len(row):
            return
        ts_ms, coin, x, vol_fast = rows.ts_ms[row], coins[column], rows.x[row, column], rows.vol_fast[row, column]
        move, base = outcomes.move[row, column], vol_fast[:, None] * STEP_ROOTS
        scale = self.scale(rows.activity[row, column], vol_fast, x)
        model = interval_loss(move, self._calibration.half_widths(scale, coin))
        baseline = interval_loss(move, self._baseline.half_widths(base, coin))
        self.gate.learn(ts_ms, coin, (model / base).mean(axis=-1), (baseline / base).mean(axis=-1))
        self._calibration.learn(ts_ms, coin, x[:, _MINUTE_WEIGHTS], scale, move)
        self._baseline.learn(ts_ms, coin, x[:, _MINUTE_WEIGHTS], base, move)
        way = (reached.rise[row, column], reached.fall[row, column], reached.dense[row, column])
        self._reach.learn(ts_ms, scale, *way)
        self._baseline_reach.learn(ts_ms, base, *way)
        self._keep(ts_ms, coin, x, outcomes.activity[row, column])
        whole = np.isfinite(move).all(axis=-1)
        drift = rows.drift[row, column][whole]
        self.point.learn(ts_ms[whole], coin[whole], x[whole], drift, (move / base)[whole])

    def _keep(self, ts_ms: IntArray, coins: IntArray, x: RowArray, activity: FloatArray) -> None:
        """Store the rows whose activity is known at all horizons, every n-th of them for the forest too."""
        whole = np.isfinite(activity).all(axis=-1)
        turn = (ts_ms // GRID_STEP_MS + coins) // self._stride
        sampled = turn % self.store.stride(self._coins / self._stride) == 0
        self.store.add(ts_ms[whole], x[whole], activity[whole].astype(np.float32), sampled[whole])

    def refit(self, now_ms: int) -> FitReport:
        """Solve the ridge from the sums, renew a part of the forest, and measure the drift's skill."""
        options = self.options
        self.store.forget(now_ms)
        self.point.refit(now_ms)
        rows = self.store.rows
        days = self.store.effective_days
        statistics = self.store.statistics()
        shrinkage = tuple(self.point.shrinkage.tolist())
        if statistics is None or not self.can_fit:
            message = f"{rows} rows are too few: {self._min_rows} are needed"
            return FitReport(False, rows, days, message, shrinkage)
        scarcity = _FULL_DAYS / min(max(days, _MIN_DAYS), _FULL_DAYS)
        self._ridge = VolatilityRidge(
            alpha=(options.alpha if self.prior is None else options.alpha_prior) * scarcity,
            prior=self.prior,
            prior_rows=_PRIOR_LEVEL_ROWS,
        ).fit_statistics(statistics)
        if options.use_forest:
            self._renew_forest(now_ms, days)
        self.refit_ms = now_ms
        return FitReport(True, rows, days, "fitted", shrinkage)

    def _renew_forest(self, now_ms: int, days: float) -> None:
        options = self.options
        x, y = self.store.sample()
        self._forest_weight = options.forest_weight * min(1.0, days / options.forest_full_days)
        if self._forest is None:
            self._forest = RollingForest(
                n_trees=options.n_trees,
                lifetime_h=options.forest_lifetime_h,
                n_jobs=options.n_jobs,
                random_state=options.seed,
            ).fit(x, y, now_ms)
        else:
            self._forest.renew(x, y, now_ms, min(options.forest_lifetime_h, _LIFETIME_H_A_DAY * days))


def _hour_scale(activity: FloatArray, vol_fast: FloatArray) -> FloatArray:
    """Predicted scale of the hour (...), whatever the minute, from log activities (..., STEPS)."""
    return np.asarray(np.exp(activity[..., -1]) * vol_fast * STEP_ROOTS[-1])
