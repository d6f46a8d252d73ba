"""The forecasting engine of the live loop and of the backtest: prices in, calibrated forecasts out, no I/O.

A round has four calls: `grid.observe` takes new prices; `advance` computes and predicts the completed grid rows and
learns from those whose outcomes are known by now; `refit` renews the models; `forecast` makes the forecasts. Every
number behind a forecast was known at its origin: a grid row is predicted once, with the models of that time, and never
again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from core.times import DAY_MS, GRID_STEP_MS
from etl.arrays import FloatArray, IntArray
from etl.features.feature_grid import FeatureBlock, FeatureGrid, OriginRows
from etl.features.feature_table import feature_table
from etl.features.targets import STEP_ROOTS, STEPS, outcomes
from model.forecaster.empirical_intervals import EmpiricalIntervals
from model.forecaster.forecasts import Forecasts, quantile_prices
from model.forecaster.online_model import EngineOptions, FitReport, OnlineModel
from model.forecaster.pending_rows import PendingRows
from model.forecaster.prior import Prior

__all__ = ["EngineOptions", "EngineState", "FitReport", "ForecastEngine"]


_MIN_HALF_WIDTH: Final = 1e-5 * STEP_ROOTS[:, None] * np.array([0.67, 1.28, 1.64, 1.96])
"""Half-widths of a price with a volatility of a tenth of a basis point per 5 minutes: no interval is narrower."""

_REFIT_MS: Final = DAY_MS
"""Age at which the models are refitted while `advance` walks through a long history."""

_KEPT_ROWS_MS: Final = DAY_MS
"""Completed feature rows wait this long for `take_feature_rows`."""


@dataclass(frozen=True)
class EngineState:
    """What has been learned, ready to be stored. Prices are not part of it: they have to be observed again.

    Attributes:
        coins: ids by column number.
        model: everything learned.
        pending: grid rows whose outcomes are not known yet.
        learned_ms: the last grid point that was predicted.
    """

    coins: tuple[str, ...]
    model: OnlineModel
    pending: PendingRows | None
    learned_ms: int


class ForecastEngine:
    """Forecaster of many coins that learns as time goes by.

    Args:
        options: sizes and constants; the defaults are the measured ones.
        prior: coefficients to start from (`Prior.load()` reads the shipped one); None starts from nothing.
    """

    def __init__(self, options: EngineOptions | None = None, prior: Prior | None = None) -> None:
        self.options = options or EngineOptions()
        self.grid = FeatureGrid(self.options.train_days)
        self.model = OnlineModel(self.options, prior)
        self._pending: PendingRows | None = None
        self._empirical = EmpiricalIntervals(self.options.train_days)
        self._blocks: deque[FeatureBlock] = deque()
        self._learned_ms = -1

    # -- learning ----------------------------------------------------------------------------------------------------

    def advance(self, now_ms: int) -> int:
        """Complete the grid up to the last grid point at or before `now_ms`.

        New rows are predicted, matured ones learned from. A long history (a first start) is walked through day by day
        with a refit on the way, exactly as if the engine had been running.

        Returns:
            The number of new rows fit for a model.
        """
        rows = 0
        for block in self.grid.extend(now_ms):
            if self._model_is_old(int(block.ts_ms[0])):
                self.refit(int(block.ts_ms[0]))
            self._take(block)
            rows += int(block.usable.sum())
        return rows

    def refit(self, now_ms: int) -> FitReport:
        """Solve the ridge from its sums and renew a part of the forest; the cost is bounded."""
        return self.model.refit(now_ms)

    def _model_is_old(self, ts_ms: int) -> bool:
        fitted_ms = self.model.refit_ms
        return self.model.can_fit and (fitted_ms is None or ts_ms - fitted_ms > _REFIT_MS)

    def _take(self, block: FeatureBlock) -> None:
        """Predict new rows once; learn from those with known outcomes and keep the others pending.

        Rows of coins that joined late or were repaired are merged into the pending ones.
        """
        self.model.widen(len(self.grid.coins))
        self._keep_block(block)
        known = int(np.searchsorted(block.ts_ms, self._learned_ms, side="right"))
        if known == len(block.ts_ms):
            return
        block = block.after(known)
        scored = block.usable & self.model.in_turn(block.ts_ms, block.coins)
        activity, drift = self.model.predict(block.x, scored)
        rows = PendingRows(block.ts_ms, block.x, block.vol_fast, block.usable, activity, drift)
        pending, first_ms = self._pending, int(block.ts_ms[0])
        is_late = pending is not None and first_ms <= pending.ts_ms[-1]
        if pending is not None and first_ms == pending.ts_ms[-1] + GRID_STEP_MS:
            rows = pending.then(rows)
        ripe, waiting = rows.split(int(self.grid.ts_ms[-1]) - STEPS * GRID_STEP_MS)
        self._pending = pending.put(waiting, block.coins) if pending is not None and is_late else waiting
        self._mature(ripe, block.coins)

    def _mature(self, rows: PendingRows, coins: IntArray) -> None:
        if not rows.usable.any():
            return
        first = int(rows.ts_ms[0] - self.grid.ts_ms[0]) // GRID_STEP_MS
        window = slice(first, first + len(rows) + STEPS)
        matured = outcomes(self.grid.log_price[window, coins], self.grid.event_ms[window, coins], rows.vol_fast)
        self.model.learn(rows, coins, matured)

    # -- forecasting -------------------------------------------------------------------------------------------------

    def forecast(self, origins: Mapping[str, int]) -> Forecasts:
        """Forecasts of coins, each as of its own origin.

        No price later than a coin's origin enters its forecast. Coins without a price at their origin are left out.

        Args:
            origins: coin → event time of its newest price, in UTC milliseconds.
        """
        known = [coin for coin in origins if self.grid.newest(coin) is not None] if len(self.grid.ts_ms) else []
        coins = np.array([self.grid.column(coin) for coin in known], dtype=np.int64)
        origin_ms = np.array([origins[coin] for coin in known], dtype=np.int64)
        self.model.widen(len(self.grid.coins))
        at = self.grid.at(coins, origin_ms)
        priced = np.flatnonzero(np.isfinite(at.price))
        return self._assemble_forecasts(
            [known[row] for row in priced], coins[priced], origin_ms[priced], at.part(priced)
        )

    def _assemble_forecasts(self, names: list[str], coins: IntArray, origin_ms: IntArray, at: OriginRows) -> Forecasts:
        model = self.model
        baseline = np.maximum(self._baseline_widths(coins, at), _MIN_HALF_WIDTH)
        widths = np.maximum(model.model_widths(at.x, at.vol_fast, coins, at.usable), _MIN_HALF_WIDTH)
        is_model = np.isfinite(widths).all(axis=(1, 2)) & model.gate.passes(coins) & model.is_ready
        mean = np.where(is_model[:, None], model.point.mean(at.x, coins), 0.0)
        centre = at.price[:, None] * np.exp(mean * at.vol_fast[:, None] * STEP_ROOTS)
        stay = np.repeat(at.price[:, None], STEPS, axis=1)
        baseline_quantiles, model_quantiles = quantile_prices(stay, baseline), quantile_prices(centre, widths)
        return Forecasts(
            coins=names,
            origin_ms=origin_ms,
            price_origin=at.price,
            mean=centre,
            quantiles=np.where(is_model[:, None, None], model_quantiles, baseline_quantiles),
            p_up=model.point.p_up(mean),
            is_model=is_model,
            baseline_quantiles=baseline_quantiles,
            model_quantiles=model_quantiles,
        )

    def _baseline_widths(self, coins: IntArray, at: OriginRows) -> FloatArray:
        """Half-widths (k, STEPS, LEVELS) without a model; static coins have those of their own moves, once known."""
        widths = self.model.baseline_widths(at.vol_fast, coins)
        if at.static.any():
            quantiles = self._empirical.get(self.grid, coins[at.static])
            own = np.maximum.accumulate(quantiles * (at.vol_mixed[at.static, None] * STEP_ROOTS)[..., None], axis=1)
            widths[at.static] = np.where(np.isfinite(own), own, widths[at.static])
        return widths

    # -- what others read --------------------------------------------------------------------------------------------

    def take_feature_rows(self) -> pa.Table:
        """Rows in FEATURE_SCHEMA completed since the last call, at most those of the last day."""
        table = feature_table(self._blocks, self.grid.coins)
        self._blocks.clear()
        return table

    def _keep_block(self, block: FeatureBlock) -> None:
        self._blocks.append(block)
        while self._blocks[0].ts_ms[-1] < block.ts_ms[-1] - _KEPT_ROWS_MS:
            self._blocks.popleft()

    def state(self) -> EngineState:
        """What has been learned, without the prices."""
        learned_ms = int(self.grid.ts_ms[-1]) if len(self.grid.ts_ms) else self._learned_ms
        return EngineState(tuple(self.grid.coins), self.model, self._pending, learned_ms)

    @classmethod
    def from_state(cls, state: EngineState) -> ForecastEngine:
        """An engine that goes on from `state` once the prices of the last `train_days` have been observed again."""
        engine = cls(state.model.options)
        for coin in state.coins:
            engine.grid.column(coin)
        engine.model = state.model
        engine._pending = state.pending
        engine._learned_ms = state.learned_ms
        return engine
