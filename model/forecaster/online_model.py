"""Everything that is learned online: the activity model, its calibration, the gate, and the point forecast."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from core.times import GRID_STEP_MS
from etl.arrays import BoolArray, FloatArray, IntArray, RowArray
from etl.features.columns import BASE_FEATURES
from etl.features.feature_rows import OriginRows
from etl.features.targets import STEP_ROOTS, STEPS, Outcomes, Reached
from model.forecaster.activity_history import ActivityHistory
from model.forecaster.activity_model import ActivityModel
from model.forecaster.announcements import widening
from model.forecaster.baseline_gate import BaselineGate, interval_loss
from model.forecaster.calibration import Calibration, generic_shape
from model.forecaster.forecasts import Spread
from model.forecaster.options import EngineOptions
from model.forecaster.pending_rows import PendingRows, Prediction
from model.forecaster.point_forecast import PointForecast
from model.forecaster.prior import Prior
from model.forecaster.reach import ReachCalibration

__all__ = ["EngineOptions", "FitReport", "OnlineModel"]


_MINUTE_WEIGHTS: Final = slice(len(BASE_FEATURES) - 12, len(BASE_FEATURES))
_MIN_COINS_A_STEP: Final = 32
"""Each grid point teaches from at least so many coins, where there are more."""

_GENERIC_ROWS: Final = 500.0
_PRIOR_ROWS: Final = 12_000.0
"""Outcomes that the first shape is worth: Student's t, and the prior's, which was measured in other months."""


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
        self.activity = ActivityModel(options, prior)
        shape = generic_shape() if prior is None else prior.shape
        baseline_shape = generic_shape() if prior is None else prior.baseline_shape
        shape_rows = _GENERIC_ROWS if prior is None else _PRIOR_ROWS
        self._calibration = Calibration(options.train_days, shape, shape_rows, True, options.tracker_step)
        self._baseline = Calibration(options.train_days, baseline_shape, shape_rows, False, 0.0)
        self._reach = ReachCalibration(options.train_days, shape)
        self._baseline_reach = ReachCalibration(options.train_days, baseline_shape)
        self.activity_history = ActivityHistory()
        self._coins = 0

    def widen(self, coins: int) -> None:
        """Make room for `coins` coins."""
        self._coins = coins
        for part in (self._calibration, self._baseline, self.gate, self.point, self.activity, self.activity_history):
            part.widen(coins)

    @property
    def can_fit(self) -> bool:
        """Whether there are enough rows to fit the models."""
        return self.activity.rows >= self.activity.min_rows

    @property
    def is_ready(self) -> bool:
        """Whether the forest is grown and enough outcomes are known to trust the intervals."""
        return self.activity.is_complete and self._calibration.rows >= self.options.min_outcomes

    def in_turn(self, ts_ms: IntArray, coins: IntArray) -> BoolArray:
        """Mask (n, k) of the rows to learn from: all with up to 63 coins, then every `_stride`-th row of each coin.

        Neighbouring rows say nearly the same; this bounds the cost of a grid step, whatever the number of coins.
        """
        return np.asarray((ts_ms[:, None] // GRID_STEP_MS + coins) % self._stride == 0)

    @property
    def _stride(self) -> int:
        return max(1, self._coins // _MIN_COINS_A_STEP)

    def predict(self, x: RowArray, coins: IntArray, wanted: BoolArray) -> Prediction:
        """Predict the log activity, the corrections in it, and the drift.

        Args:
            x: features (..., features).
            coins: column numbers, broadcast against `wanted`.
            wanted: rows to predict (...).

        Returns:
            Arrays (..., STEPS); NaN where not wanted or before a fit.
        """
        found = Prediction.unknown((*wanted.shape, STEPS))
        rows = x[wanted]
        if len(rows):
            found.drift[wanted] = self.point.drift(rows)
            self.activity.predict(rows, np.broadcast_to(coins, wanted.shape)[wanted], found, wanted)
        return found

    def scale(self, activity: FloatArray, vol_fast: FloatArray, x: RowArray, ts_ms: IntArray) -> FloatArray:
        """Predicted scales of the moves (..., STEPS).

        Args:
            activity: predicted log activities (..., STEPS).
            vol_fast: fast volatilities (...).
            x: features (..., features).
            ts_ms: times of the rows, broadcast against `vol_fast`.
        """
        phase = self._calibration.phase_factor(x[..., _MINUTE_WEIGHTS])
        scale = np.exp(activity) * vol_fast[..., None] * STEP_ROOTS * phase
        return np.asarray(scale * widening(ts_ms) if self.options.use_announcements else scale)

    def note_activity(self, ts_ms: IntArray, coins: IntArray, activity: FloatArray, vol_fast: FloatArray) -> None:
        """Remember the activity predicted on grid rows (n, k, STEPS), one an hour, with their volatilities (n, k)."""
        self.activity_history.note(ts_ms, coins, _hour_scale(activity, vol_fast))

    def baseline_spread(self, at: OriginRows, coins: IntArray) -> Spread:
        """How far the baseline lets k coins move."""
        scale = at.vol_fast[:, None] * STEP_ROOTS
        return Spread(self._baseline.half_widths(scale, coins), self._baseline_reach.quantiles(scale, at.dense))

    def model_spread(self, at: OriginRows, coins: IntArray, origin_ms: IntArray) -> tuple[Spread, FloatArray]:
        """How far the model lets k coins move, and the hour's scale (k,); NaN where it cannot tell or before a fit."""
        activity = self.predict(at.x, coins, at.usable).activity
        scale = self.scale(activity, at.vol_fast, at.x, origin_ms)
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
        predicted, activity = rows.predicted(row, column), outcomes.activity[row, column]
        scale = self.scale(predicted.activity, vol_fast, x, ts_ms)
        model = interval_loss(move, self._calibration.half_widths(scale, coin))
        baseline = interval_loss(move, self._baseline.half_widths(base, coin))
        self.gate.learn(ts_ms, coin, (model / base).mean(axis=-1), (baseline / base).mean(axis=-1))
        self._calibration.learn(ts_ms, coin, x[:, _MINUTE_WEIGHTS], scale, move)
        self._baseline.learn(ts_ms, coin, x[:, _MINUTE_WEIGHTS], base, move)
        way = (reached.rise[row, column], reached.fall[row, column], reached.dense[row, column])
        self._reach.learn(ts_ms, scale, *way)
        self._baseline_reach.learn(ts_ms, base, *way)
        left = self.activity.judge(ts_ms, coin, vol_fast, predicted, activity)
        turn = (ts_ms // GRID_STEP_MS + coin) // self._stride
        self.activity.keep(ts_ms, x, left, turn, self._coins / self._stride)
        whole = np.isfinite(move).all(axis=-1)
        self.point.learn(ts_ms[whole], coin[whole], x[whole], predicted.drift[whole], (move / base)[whole])

    def refit(self, now_ms: int) -> FitReport:
        """Renew the activity model, and measure the drift's skill."""
        self.point.refit(now_ms)
        fitted = self.activity.refit(now_ms)
        rows, shrinkage = self.activity.rows, tuple(self.point.shrinkage.tolist())
        if not fitted:
            message = f"{rows} rows are too few: {self.activity.min_rows} are needed"
            return FitReport(False, rows, self.activity.days, message, shrinkage)
        self.refit_ms = now_ms
        return FitReport(True, rows, self.activity.days, f"fitted, {self.activity.shares()}", shrinkage)


def _hour_scale(activity: FloatArray, vol_fast: FloatArray) -> FloatArray:
    """Predicted scale of the hour (...), whatever the minute, from log activities (..., STEPS)."""
    return np.asarray(np.exp(activity[..., -1]) * vol_fast * STEP_ROOTS[-1])
