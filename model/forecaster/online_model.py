"""Everything that is learned online: the activity model, its calibration, the gate, and the point forecast."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from core.times import DAY_MS, GRID_STEP_MS
from etl.arrays import BoolArray, FloatArray, IntArray, RowArray
from etl.features.columns import BASE_FEATURES
from etl.features.feature_rows import OriginRows
from etl.features.targets import STEP_ROOTS, STEPS
from model.forecaster.activity_history import ActivityHistory
from model.forecaster.activity_model import ActivityModel
from model.forecaster.announcements import widening
from model.forecaster.baseline_gate import BaselineGate, interval_loss
from model.forecaster.calibration import Calibration, generic_shape
from model.forecaster.forecasts import Spread
from model.forecaster.lesson import Lesson
from model.forecaster.options import EngineOptions
from model.forecaster.pending_rows import Prediction
from model.forecaster.point_forecast import PointForecast
from model.forecaster.prior import Prior
from model.forecaster.reach import ReachCalibration

__all__ = ["EngineOptions", "FitReport", "OnlineModel", "hour_scale"]


_MINUTE_WEIGHTS: Final = slice(len(BASE_FEATURES) - 12, len(BASE_FEATURES))
_MIN_COINS_A_STEP: Final = 32
"""On average each grid point teaches from at least so many coins, where there are more."""

_REFIT_MS: Final = DAY_MS
"""Age at which the models are refitted while a long history is walked through."""

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


class _ByCoin(Protocol):
    """A part that keeps something of each coin, by its number."""

    def widen(self, coins: int) -> None:
        """Make room for `coins` coins."""

    def forget(self, coins: IntArray) -> None:
        """Reset coins (k,)."""


class OnlineModel:
    """The learned part of all engines: it knows coins by their number, and feature rows, but no prices."""

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
        self._coins = self._absent = 0

    def widen(self, coins: int) -> None:
        """Make room for `coins` coins, where there are fewer yet."""
        self._coins = max(coins, self._coins)
        for part in self._parts_by_coin():
            part.widen(self._coins)

    def enrolled(self, taken: IntArray, absent: int) -> None:
        """Reset numbers (k,) that other coins have taken over; `absent` coins with a number are not collected now."""
        self._absent = absent
        for part in self._parts_by_coin():
            part.forget(taken)

    def _parts_by_coin(self) -> tuple[_ByCoin, ...]:
        return self._calibration, self._baseline, self.gate, self.point, self.activity, self.activity_history

    @property
    def can_fit(self) -> bool:
        """Whether there are enough rows to fit the models."""
        return self.activity.rows >= self.activity.min_rows

    def is_old(self, ts_ms: int) -> bool:
        """Whether the last fit lies a day before `ts_ms`, and there are rows for another."""
        return self.can_fit and (self.refit_ms is None or ts_ms - self.refit_ms > _REFIT_MS)

    def without_rows(self) -> OnlineModel:
        """The same model without the rows that it was fitted to: what is needed to predict."""
        light = copy.copy(self)
        light.activity = self.activity.without_rows()
        return light

    @property
    def is_ready(self) -> bool:
        """Whether the forest is grown and enough outcomes are known to trust the intervals."""
        return self.activity.is_complete and self._calibration.rows >= self.options.min_outcomes

    def in_turn(self, ts_ms: IntArray, coins: IntArray) -> BoolArray:
        """Mask (n, k) of the rows to learn from: all with up to 63 coins, then every `_stride`-th row of each coin.

        Coins that are not collected any more do not count, so that they thin the others' rows no further.
        Neighbouring rows say nearly the same; this bounds the cost of a grid step, whatever the number of coins.
        """
        return np.asarray((ts_ms[:, None] // GRID_STEP_MS + coins) % self._stride == 0)

    @property
    def _stride(self) -> int:
        return max(1, self._live // _MIN_COINS_A_STEP)

    @property
    def _live(self) -> int:
        return self._coins - self._absent

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

    def baseline_spread(self, at: OriginRows, coins: IntArray) -> Spread:
        """How far the baseline lets k coins move."""
        scale = at.vol_fast[:, None] * STEP_ROOTS
        return Spread(self._baseline.half_widths(scale, coins), self._baseline_reach.quantiles(scale, at.dense))

    def model_spread(self, at: OriginRows, coins: IntArray, origin_ms: IntArray) -> tuple[Spread, FloatArray]:
        """How far the model lets k coins move, and the hour's scale (k,); NaN where it cannot tell or before a fit."""
        activity = self.predict(at.x, coins, at.usable).activity
        scale = self.scale(activity, at.vol_fast, at.x, origin_ms)
        spread = Spread(self._calibration.half_widths(scale, coins), self._reach.quantiles(scale, at.dense))
        return spread, hour_scale(activity, at.vol_fast)

    def learn(self, lesson: Lesson) -> None:
        """Remember predicted scales; judge the predictions on matured rows, then add the rows to the data."""
        for scales in lesson.scales:
            self.activity_history.note(scales)
        rows = lesson.rows
        if not len(rows):
            return
        ts_ms, coin, x, vol_fast, move = rows.ts_ms, rows.coins, rows.x, rows.vol_fast, rows.move
        base, predicted = vol_fast[:, None] * STEP_ROOTS, rows.predicted
        scale = self.scale(predicted.activity, vol_fast, x, ts_ms)
        model = interval_loss(move, self._calibration.half_widths(scale, coin))
        baseline = interval_loss(move, self._baseline.half_widths(base, coin))
        self.gate.learn(ts_ms, coin, (model / base).mean(axis=-1), (baseline / base).mean(axis=-1))
        self._calibration.learn(ts_ms, coin, x[:, _MINUTE_WEIGHTS], scale, move)
        self._baseline.learn(ts_ms, coin, x[:, _MINUTE_WEIGHTS], base, move)
        self._reach.learn(ts_ms, scale, rows.rise, rows.fall, rows.dense)
        self._baseline_reach.learn(ts_ms, base, rows.rise, rows.fall, rows.dense)
        left = self.activity.judge(ts_ms, coin, vol_fast, predicted, rows.activity)
        turn = (ts_ms // GRID_STEP_MS + coin) // self._stride
        self.activity.keep(ts_ms, x, left, turn, self._live / self._stride)
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


def hour_scale(activity: FloatArray, vol_fast: FloatArray) -> FloatArray:
    """Predicted scale of the hour (...), whatever the minute, from log activities (..., STEPS)."""
    return np.asarray(np.exp(activity[..., -1]) * vol_fast * STEP_ROOTS[-1])
