"""The forecasting state machine, shared by the live loop and the backtest: prices in, calibrated forecasts out. No I/O.

A round is `observe` (new prices), `advance` (features and predictions of completed grid rows; outcomes that have
matured teach the sums, the calibration and the gate), `refit` (models), `forecast`. Every number that a forecast
rests on was known at its origin: predictions on grid rows are made once, with the models of that moment, and are
never made again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from core.times import DAY_MS, GRID_STEP_MS
from etl.arrays import IntArray
from etl.features.feature_grid import FeatureBlock, FeatureGrid, OriginRows
from etl.features.feature_table import feature_table
from etl.features.targets import STEP_ROOTS, STEPS, outcomes
from model.forecaster.empirical_intervals import OwnShapes
from model.forecaster.forecasts import Forecasts, quantile_prices
from model.forecaster.online_model import EngineOptions, FitReport, Learner
from model.forecaster.pending_rows import Rows
from model.forecaster.prior import Prior

__all__ = ["EngineOptions", "EngineState", "FitReport", "ForecastEngine"]


_NARROWEST: Final = 1e-5 * STEP_ROOTS[:, None] * np.array([0.67, 1.28, 1.64, 1.96])
"""No interval is narrower than that of a price with a spread of a tenth of a basis point per 5 minutes."""

_REFIT_MS: Final = DAY_MS
"""How old the model may grow while a long stretch is walked through."""

_TABLE_MS: Final = DAY_MS
"""Feature rows wait this long to be taken."""


@dataclass(frozen=True)
class EngineState:
    """What has been learned, ready to be stored: everything but prices, which `from_state` expects to be observed
    again.
    """

    coins: tuple[str, ...]
    learner: Learner
    pending: Rows | None
    learned_ms: int


class ForecastEngine:
    """Walk-forward forecaster of many coins.

    Parameters
    ----------
    options : sizes and constants; the defaults are the measured ones.
    prior : coefficients to start from (`Prior.load()` is the one that ships); None starts from nothing.
    """

    def __init__(self, options: EngineOptions | None = None, prior: Prior | None = None) -> None:
        self.options = options or EngineOptions()
        self.grid = FeatureGrid(self.options.train_days)
        self.learner = Learner(self.options, prior)
        self._pending: Rows | None = None
        self._own = OwnShapes(self.options.train_days)
        self._blocks: deque[FeatureBlock] = deque()
        self._learned_ms = -1

    # -- prices in ---------------------------------------------------------------------------------------------------

    def observe(self, coin: str, ts_ms: npt.ArrayLike, price: npt.ArrayLike) -> None:
        """Append raw prices in event-time order, newer than what the coin has (others are dropped)."""
        self.grid.observe(coin, ts_ms, price)

    def replace(self, coin: str, ts_ms: npt.ArrayLike, price: npt.ArrayLike) -> None:
        """Take a coin's whole repaired history; its rows are rebuilt at the next `advance`, and those not seen are
        learned.
        """
        self.grid.replace(coin, ts_ms, price)

    def observe_hourly(self, coin: str, ts_ms: npt.ArrayLike, price: npt.ArrayLike) -> None:
        """Take hourly prices from before the coin's history: they only seed its slow averages."""
        self.grid.observe_hourly(coin, ts_ms, price)

    # -- learning ----------------------------------------------------------------------------------------------------

    def advance(self, now_ms: int) -> int:
        """Complete the grid up to the last grid point at or before `now_ms`; return the number of new grid rows.

        New rows are predicted, matured ones learned from. A long stretch (a first start with days of history) is
        walked through day by day with a refit on the way, exactly as if it had been lived through.
        """
        rows = 0
        for block in self.grid.extend(now_ms):
            if self._model_is_old(int(block.ts_ms[0])):
                self.refit(int(block.ts_ms[0]))
            self._take(block)
            rows += int(block.usable.sum())
        return rows

    def refit(self, now_ms: int) -> FitReport:
        """Fit the linear model afresh from running sums and renew a part of the forest; the cost is bounded."""
        return self.learner.refit(now_ms)

    def _model_is_old(self, ts_ms: int) -> bool:
        fitted_ms = self.learner.refit_ms
        return self.learner.can_fit and (fitted_ms is None or ts_ms - fitted_ms > _REFIT_MS)

    def _take(self, block: FeatureBlock) -> None:
        """Predict new rows, once; learn from those whose outcome is known, let the others wait for theirs.

        Rows of coins that joined late or were repaired take their places among those that wait already.
        """
        self.learner.widen(len(self.grid.coins))
        self._keep_block(block)
        known = int(np.searchsorted(block.ts_ms, self._learned_ms, side="right"))
        if known == len(block.ts_ms):
            return
        block = block.after(known)
        scored = block.usable & self.learner.in_turn(block.ts_ms, block.coins)
        activity, bets = self.learner.predict(block.x, scored)
        rows = Rows(block.ts_ms, block.x, block.sigma, block.usable, activity, bets)
        pending, first_ms = self._pending, int(block.ts_ms[0])
        is_late = pending is not None and first_ms <= pending.ts_ms[-1]
        if pending is not None and first_ms == pending.ts_ms[-1] + GRID_STEP_MS:
            rows = pending.then(rows)
        ripe, waiting = rows.split(int(self.grid.ts_ms[-1]) - STEPS * GRID_STEP_MS)
        self._pending = pending.put(waiting, block.coins) if pending is not None and is_late else waiting
        self._mature(ripe, block.coins)

    def _mature(self, rows: Rows, coins: IntArray) -> None:
        if not rows.usable.any():
            return
        first = int(rows.ts_ms[0] - self.grid.ts_ms[0]) // GRID_STEP_MS
        window = slice(first, first + len(rows) + STEPS)
        what = outcomes(self.grid.log_price[window, coins], self.grid.event_ms[window, coins], rows.sigma)
        self.learner.learn(rows, coins, what)

    # -- forecasting -------------------------------------------------------------------------------------------------

    def forecast(self, origins: Mapping[str, int]) -> Forecasts:
        """Return forecasts of coins as of one origin each (the event time of the coin's newest price).

        No price later than a coin's origin enters its forecast. Coins without a price at their origin are left out.
        """
        known = [coin for coin in origins if self.grid.newest(coin) is not None] if len(self.grid.ts_ms) else []
        coins = np.array([self.grid.column(coin) for coin in known], dtype=np.int64)
        origin_ms = np.array([origins[coin] for coin in known], dtype=np.int64)
        self.learner.widen(len(self.grid.coins))
        at = self.grid.at(coins, origin_ms)
        priced = np.flatnonzero(np.isfinite(at.price))
        return self._publish([known[row] for row in priced], coins[priced], origin_ms[priced], at.part(priced))

    def _publish(self, names: list[str], coins: IntArray, origin_ms: IntArray, at: OriginRows) -> Forecasts:
        learner = self.learner
        baseline = learner.baseline_widths(at.sigma, coins)
        if at.odd.any():
            own = self._own.get(self.grid, coins[at.odd])
            widths = np.maximum.accumulate(own * (at.spread[at.odd, None] * STEP_ROOTS)[..., None], axis=1)
            baseline[at.odd] = np.where(np.isfinite(widths), widths, baseline[at.odd])
        baseline = np.maximum(baseline, _NARROWEST)
        widths_of_model = np.maximum(learner.model_widths(at.x, at.sigma, coins, at.usable), _NARROWEST)
        is_model = np.isfinite(widths_of_model).all(axis=(1, 2)) & learner.gate.passes(coins) & learner.is_ready
        mean = np.where(is_model[:, None], learner.point.mean(at.x, coins), 0.0)
        centre = at.price[:, None] * np.exp(mean * at.sigma[:, None] * STEP_ROOTS)
        stay = np.repeat(at.price[:, None], STEPS, axis=1)
        baseline_quantiles, model_quantiles = quantile_prices(stay, baseline), quantile_prices(centre, widths_of_model)
        quantiles = np.where(is_model[:, None, None], model_quantiles, baseline_quantiles)
        p_up = learner.point.rise(mean)
        return Forecasts(
            names, origin_ms, at.price, centre, quantiles, p_up, is_model, baseline_quantiles, model_quantiles
        )

    # -- what others read --------------------------------------------------------------------------------------------

    def take_feature_rows(self) -> pa.Table:
        """Return the rows fit for a model that were completed since the last call, at most those of the last day:
        coin, ts, sigma, and the features (float32).
        """
        table = feature_table(self._blocks, self.grid.coins)
        self._blocks.clear()
        return table

    def _keep_block(self, block: FeatureBlock) -> None:
        self._blocks.append(block)
        while self._blocks[0].ts_ms[-1] < block.ts_ms[-1] - _TABLE_MS:
            self._blocks.popleft()

    def state(self) -> EngineState:
        """Return what has been learned; the prices are not part of it."""
        learned_ms = int(self.grid.ts_ms[-1]) if len(self.grid.ts_ms) else self._learned_ms
        return EngineState(tuple(self.grid.coins), self.learner, self._pending, learned_ms)

    @classmethod
    def from_state(cls, state: EngineState) -> ForecastEngine:
        """Return an engine that goes on where `state` was taken, once the prices of `train_days` have been observed
        again.
        """
        engine = cls(state.learner.options)
        for coin in state.coins:
            engine.grid.column(coin)
        engine.learner = state.learner
        engine._pending = state.pending
        engine._learned_ms = state.learned_ms
        return engine
