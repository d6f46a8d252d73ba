"""All that is learned: the two volatility models, their calibration, the gate, and the point forecast."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from core.times import GRID_STEP_MS
from etl.arrays import BoolArray, FloatArray, IntArray, RowArray
from etl.features.columns import FEATURE_NAMES
from etl.features.targets import STEP_ROOTS, STEPS, Outcomes
from model.forecaster.baseline_gate import Gate, interval_loss
from model.forecaster.calibration import Calibration, generic_shape
from model.forecaster.pending_rows import Rows
from model.forecaster.point_forecast import PointForecast
from model.forecaster.prior import Prior
from model.forecaster.training_data import TrainingStore
from model.forecaster.volatility_models import RollingForest, VolatilityRidge

__all__ = ["EngineOptions", "FitReport", "Learner"]


_HATS: Final = slice(len(FEATURE_NAMES) - 12, len(FEATURE_NAMES))
_COINS_A_STEP: Final = 32
"""At least so many coins are learned from at each grid point, where there are more."""

_GENERIC_ROWS: Final = 500.0
_PRIOR_ROWS: Final = 3_000.0
"""Outcomes that the shape to start from is worth: a guess, and one that was measured in other months."""

_PRIOR_LEVEL_ROWS: Final = 2_000.0
"""Rows that the prior's level is worth: levels differ between markets more than coefficients do."""

_FULL_DAYS: Final = 14.0
"""Days of rows for which the penalty is meant; with fewer it grows in proportion, up to that of six hours."""

_LIFETIME_H_A_DAY: Final = 8.0
"""A forest of few days of rows is renewed sooner: each day known gives its trees so many hours to live."""

_ACTIVITY_RANGE: Final = (-2.0, 2.2)
"""A predicted activity of less than an eighth or more than nine times the recent spread is not believed."""


@dataclass(frozen=True)
class EngineOptions:
    """Sizes and constants of the engine.

    Attributes:
        train_days: window of training and calibration.
        seed: of the forest.
        n_jobs: threads of the forest; no result depends on it.
        use_forest: False leaves the linear model alone (for comparisons).
        n_trees: size of the forest.
        forest_lifetime_h: hours until all of it is renewed.
        sample_days, sample_rows: rows it learns from: of the last days, and at most how many; a year of history costs
            no more than a week.
        forest_weight: its share in the mean of the two models once `forest_full_days` of rows are known.
        forest_full_days: until then the share grows with the days.
        alpha: ridge penalty at 14 days of rows, without a prior; it grows as rows get fewer.
        alpha_prior: the same with a prior.
        tracker_step: of the coverage tracker, in log width per outcome.
        gate_half_life_h: how far back the gate looks.
        least_rows, least_rows_prior: rows without which nothing is fitted, without a prior and with one; few rows then
            move the ridge little, and the forest's share is small.
        least_outcomes: outcomes without which the intervals are not trusted.
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
    least_rows: int = 500
    least_rows_prior: int = 100
    least_outcomes: int = 500


@dataclass(frozen=True)
class FitReport:
    """What a refit did: `fitted` or not, from how many rows and days, and a sentence.

    `shrinkage` tells, per horizon, which part of a forecast move away from the last price is published; 0: the point
    forecast IS the last price.
    """

    fitted: bool
    rows: int
    days: float
    message: str
    shrinkage: tuple[float, ...]


class Learner:
    """The learned part of the engine; it knows coins by their column number and rows, nothing of prices."""

    def __init__(self, options: EngineOptions, prior: Prior | None) -> None:
        self.options = options
        self.prior = prior
        self.refit_ms: int | None = None
        self.gate = Gate(options.gate_half_life_h * 12)
        self.point = PointForecast(options.train_days)
        self.store = TrainingStore(options.train_days, options.sample_days, options.sample_rows)
        shape = generic_shape() if prior is None else prior.shape
        baseline_shape = generic_shape() if prior is None else prior.baseline_shape
        shape_rows = _GENERIC_ROWS if prior is None else _PRIOR_ROWS
        self._calibration = Calibration(options.train_days, shape, shape_rows, True, options.tracker_step)
        self._baseline = Calibration(options.train_days, baseline_shape, shape_rows, False, 0.0)
        self._ridge = None if prior is None else VolatilityRidge(prior=prior).fit_prior()
        self._forest: RollingForest | None = None
        self._forest_weight = 0.0
        self._coins = 0

    def widen(self, coins: int) -> None:
        """Make room for `coins` coins."""
        self._coins = coins
        for part in (self._calibration, self._baseline, self.gate, self.point):
            part.widen(coins)

    @property
    def can_fit(self) -> bool:
        """Whether there are rows enough to fit anything."""
        return self.store.rows >= self._least_rows

    @property
    def _least_rows(self) -> int:
        return self.options.least_rows if self.prior is None else self.options.least_rows_prior

    @property
    def is_ready(self) -> bool:
        """Whether the forest takes part and enough outcomes have been seen to trust the intervals."""
        with_forest = self._forest is not None or not self.options.use_forest
        return with_forest and self._calibration.rows >= self.options.least_outcomes

    def in_turn(self, ts_ms: IntArray, coins: IntArray) -> BoolArray:
        """Tell which rows (n, k) are learned from: all with up to 63 coins, then evenly fewer of each.

        Neighbouring rows say nearly the same; this bounds what a grid step costs, whatever the number of coins.
        """
        return np.asarray((ts_ms[:, None] // GRID_STEP_MS + coins) % self._stride == 0)

    @property
    def _stride(self) -> int:
        return max(1, self._coins // _COINS_A_STEP)

    def predict(self, x: RowArray, wanted: BoolArray) -> tuple[FloatArray, FloatArray]:
        """Return predicted log activity and bets (..., STEPS) for rows `x` (..., features); NaN where not wanted or no
        model.
        """
        activity = np.full((*wanted.shape, STEPS), np.nan)
        bets = np.full_like(activity, np.nan)
        rows = x[wanted]
        if len(rows):
            bets[wanted] = self.point.bets(rows)
            if self._ridge is not None:
                activity[wanted] = self._activity(self._ridge, rows)
        return activity, bets

    def _activity(self, ridge: VolatilityRidge, rows: RowArray) -> FloatArray:
        linear = ridge.predict(rows)
        if self._forest is not None:
            linear = (1.0 - self._forest_weight) * linear + self._forest_weight * self._forest.predict(rows)
        return np.asarray(np.clip(linear, *_ACTIVITY_RANGE))

    def _scale(self, activity: FloatArray, sigma: FloatArray, x: RowArray) -> FloatArray:
        return np.asarray(
            np.exp(activity) * sigma[..., None] * STEP_ROOTS * self._calibration.phase_factor(x[..., _HATS])
        )

    def baseline_widths(self, sigma: FloatArray, coins: IntArray) -> FloatArray:
        """Return the baseline's half-widths (k, STEPS, LEVELS)."""
        return self._baseline.half_widths(sigma[:, None] * STEP_ROOTS, coins)

    def model_widths(self, x: RowArray, sigma: FloatArray, coins: IntArray, wanted: BoolArray) -> FloatArray:
        """Return the forecaster's half-widths (k, STEPS, LEVELS), NaN where not wanted or while there is no model."""
        activity, _ = self.predict(x, wanted)
        return self._calibration.half_widths(self._scale(activity, sigma, x), coins)

    def learn(self, rows: Rows, coins: IntArray, what: Outcomes) -> None:
        """Learn from matured rows (n, k) in order of time: first judge what was predicted, then take it in."""
        row, place = np.nonzero(rows.usable & self.in_turn(rows.ts_ms, coins))
        if not len(row):
            return
        ts_ms, coin, x, sigma = rows.ts_ms[row], coins[place], rows.x[row, place], rows.sigma[row, place]
        move, base = what.move[row, place], sigma[:, None] * STEP_ROOTS
        scale = self._scale(rows.activity[row, place], sigma, x)
        model = interval_loss(move, self._calibration.half_widths(scale, coin))
        baseline = interval_loss(move, self._baseline.half_widths(base, coin))
        self.gate.learn(ts_ms, coin, (model / base).mean(axis=-1), (baseline / base).mean(axis=-1))
        self._calibration.learn(ts_ms, coin, x[:, _HATS], scale, move)
        self._baseline.learn(ts_ms, coin, x[:, _HATS], base, move)
        self._keep(ts_ms, coin, x, what.activity[row, place])
        whole = np.isfinite(move).all(axis=-1)
        bets = rows.bets[row, place][whole]
        self.point.learn(ts_ms[whole], coin[whole], x[whole], bets, (move / base)[whole])

    def _keep(self, ts_ms: IntArray, coins: IntArray, x: RowArray, activity: FloatArray) -> None:
        """Store the rows whose activity is known at all horizons, an even part of them for the forest too."""
        whole = np.isfinite(activity).all(axis=-1)
        turn = (ts_ms // GRID_STEP_MS + coins) // self._stride
        sampled = turn % self.store.stride(self._coins / self._stride) == 0
        self.store.add(ts_ms[whole], x[whole], activity[whole].astype(np.float32), sampled[whole])

    def refit(self, now_ms: int) -> FitReport:
        """Fit the ridge from the sums, renew a part of the forest, judge the bets."""
        options = self.options
        self.store.forget(now_ms)
        self.point.refit(now_ms)
        rows = self.store.rows
        days = self.store.effective_days
        moments = self.store.moments()
        if moments is None or not self.can_fit:
            message = f"{rows} rows are too few: {self._least_rows} are needed"
            return FitReport(False, rows, days, message, self.point.published)
        thin = _FULL_DAYS / min(max(days, 0.25), _FULL_DAYS)
        self._ridge = VolatilityRidge(
            alpha=(options.alpha if self.prior is None else options.alpha_prior) * thin,
            prior=self.prior,
            prior_rows=_PRIOR_LEVEL_ROWS,
        ).fit_moments(moments)
        if options.use_forest:
            self._renew_forest(now_ms, days)
        self.refit_ms = now_ms
        return FitReport(True, rows, days, "fitted", self.point.published)

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
