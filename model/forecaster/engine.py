"""The forecasting engine of the live loop and of the backtest: prices in, calibrated forecasts out, no I/O.

A round has four calls: `grid.observe` takes new prices; `advance` computes and predicts the completed grid rows and
learns from those whose outcomes are known by now; `refit` renews the models; `forecast` makes the forecasts. Every
number behind a forecast was known at its origin: a grid row is predicted once, with the models of that time, and never
again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import pyarrow as pa

from core.times import DAY_MS, GRID_STEP_MS
from etl.arrays import FloatArray, IntArray
from etl.features.feature_grid import FeatureGrid
from etl.features.feature_rows import FeatureBlock
from etl.features.feature_table import feature_table
from etl.features.roster import Roster
from etl.features.targets import STEP_ROOTS, STEPS, outcomes, reached
from model.forecaster.assembly import AtOrigins, assemble_forecasts
from model.forecaster.empirical_intervals import EmpiricalIntervals
from model.forecaster.forecasts import Forecasts, Spread
from model.forecaster.lesson import HourScales, Lesson, MaturedRows
from model.forecaster.online_model import FitReport, OnlineModel, hour_scale
from model.forecaster.options import EngineOptions
from model.forecaster.peers import Alone, Peers
from model.forecaster.pending_rows import PendingRows
from model.forecaster.prior import Prior
from model.forecaster.scaled_hours import ScaledHours, on_half_hours

__all__ = ["EngineOptions", "EngineState", "FitReport", "ForecastEngine"]


_KEPT_ROWS_MS: Final = DAY_MS
_MOST_KEPT_ROWS: Final = 300_000
"""Completed feature rows wait this long for `take_rows`, and at most about so many: those of a day of 1,000 coins."""


@dataclass(frozen=True)
class EngineState:
    """What has been learned, ready to be stored. Prices are not part of it: they have to be observed again.

    Attributes:
        coins: ids by column number.
        model: everything learned.
        pending: grid rows whose outcomes are not known yet.
        learned_ms: the last grid point that was predicted.
        left_ms: since when coins are not collected any more, see `Roster`.
    """

    coins: tuple[str, ...]
    model: OnlineModel
    pending: PendingRows | None
    learned_ms: int
    left_ms: Mapping[str, int] = field(default_factory=dict)

    def enrolled(self, roster: Roster, taken: Sequence[int]) -> EngineState:
        """The same with the coins of a roster, some of which have taken over places."""
        pending = None if self.pending is None else self.pending.without(np.array(taken, dtype=np.int64))
        return replace(self, coins=tuple(roster.coins), pending=pending, left_ms=dict(roster.left_ms))


class ForecastEngine:
    """Forecaster of many coins that learns as time goes by, alone or with the engines of other coins.

    Args:
        options: sizes and constants; the defaults are the measured ones.
        prior: coefficients to start from (`Prior.load()` reads the shipped one); None starts from nothing.
        peers: how it learns with the engines of the other shards; without it its coins are all.
    """

    def __init__(
        self, options: EngineOptions | None = None, prior: Prior | None = None, peers: Peers | None = None
    ) -> None:
        self.options = options or EngineOptions()
        self._peers = peers or Alone()
        self.grid = FeatureGrid(self.options.train_days, self._peers)
        self.model = OnlineModel(self.options, prior)
        self._pending: PendingRows | None = None
        self._empirical = EmpiricalIntervals(self.options.train_days)
        self._blocks: deque[FeatureBlock] = deque()
        self._scaled_hours = ScaledHours()
        self._learned_ms = -1
        self._learned: set[int] = set()

    # -- learning ----------------------------------------------------------------------------------------------------

    def enrol(self, collected: Collection[str], now_ms: int) -> None:
        """Take the coins collected now; one that joins may take over the column of one long gone, as if it were new."""
        taken = self.grid.enrol(collected, now_ms)
        self._peers.enrolled(self.model, taken, len(self.grid.roster.left_ms))
        if not len(taken):
            return
        self._learned.difference_update(taken.tolist())
        self._pending = None if self._pending is None else self._pending.without(taken)
        self._empirical.forget(taken)
        self._scaled_hours.forget(taken)
        for block in self._blocks:
            block.usable[:, np.isin(block.coins, taken)] = False

    def advance(self, now_ms: int, busy: Callable[[], None] = lambda: None) -> int:
        """Complete the grid up to the last grid point at or before `now_ms`.

        New rows are predicted, matured ones learned from. A long history (a first start) is walked through day by day,
        or in shorter blocks, with a refit on the way, exactly as if the engine had been running; `busy` is called after
        each block. A restored engine walks through what it had learned without learning it again; then it learns the
        rows of the last day there of coins that it did not know, as those of any coin that joins late.

        Returns:
            The number of new rows fit for a model.
        """
        rows, walks = 0, not len(self.grid.history)
        for block in self.grid.extend(now_ms):
            self.model = self._peers.renewed(self.model, int(block.ts_ms[0]))
            self._widen()
            self._keep_block(block)
            new, blocks = block.part(slice(self._known_rows(block), None)), self._blocks if walks else [block]
            walks = walks and not len(new.ts_ms)
            joined = [] if walks else map(self._of_joined, blocks)
            self._peers.teach(self.model, self._take([*joined, new]))
            rows += int(block.usable.sum())
            busy()
        if walks:
            self._peers.teach(self.model, self._take(map(self._of_joined, self._blocks)))
        return rows

    def rejoin(self, ts_ms: IntArray, sums: FloatArray, published_ms: int, busy: Callable[[], None]) -> None:
        """Complete the grid in place of an engine that was lost, without predicting or learning anything.

        Args:
            ts_ms: grid points (n,) that the other engines have.
            sums: the market's sums there (n, columns).
            published_ms: the rows up to this grid point have been taken; `take_rows` gives those after it, but no more
                than those of a day.
            busy: called after each block.
        """
        self._learned_ms = int(ts_ms[-1])
        self._learned = set(range(len(self.grid.roster)))
        published_ms = max(published_ms, self._learned_ms - _KEPT_ROWS_MS)
        published = int(np.searchsorted(ts_ms, published_ms, side="right"))
        self.grid.catch_up(ts_ms[:published], sums[:published], busy)
        self.advance(self._learned_ms, busy)

    def refit(self, now_ms: int) -> FitReport:
        """Solve the ridge from its sums and renew a part of the forest, as of the grid's next point at the latest.

        Without a grid, as of the point after the last one learned. The cost is bounded.
        """
        history = self.grid.history
        end_ms = int(history.ts_ms[-1]) if len(history) else self._learned_ms
        return self.model.refit(now_ms if end_ms < 0 else min(now_ms, end_ms + GRID_STEP_MS))

    def _widen(self) -> None:
        self.model.widen(int(self._numbers().max(initial=-1)) + 1)

    def _numbers(self) -> IntArray:
        """The numbers by which the model knows the coins, by column."""
        return self._peers.numbers(self.grid.roster.coins)

    def _known_rows(self, block: FeatureBlock) -> int:
        """How many of a block's grid points the engine had learned before it was stored."""
        return int(np.searchsorted(block.ts_ms, self._learned_ms, side="right"))

    def _of_joined(self, block: FeatureBlock) -> FeatureBlock:
        """The rows there of coins that the stored engine did not know; none before any row is pending."""
        joined = ~np.isin(block.coins, list(self._learned))
        known = self._known_rows(block) if joined.any() and self._pending is not None else 0
        return block.part(slice(0, known), joined)

    def _take(self, blocks: Iterable[FeatureBlock]) -> Lesson:
        """The lesson of blocks of new rows."""
        lessons = [self._lesson(block) for block in blocks if len(block.ts_ms)]
        return Lesson.of_all(lessons) if lessons else Lesson.none()

    def _lesson(self, block: FeatureBlock) -> Lesson:
        """Predict new rows once and keep those pending whose outcomes are not known; the others are the lesson.

        Rows of coins that joined late or were repaired are merged into the pending ones.
        """
        numbers = self._numbers()[block.coins]
        wanted = self.model.in_turn(block.ts_ms, numbers) | on_half_hours(block.ts_ms)[:, None]
        predicted = self.model.predict(block.x, numbers, block.usable & wanted)
        scales = HourScales.of(block.ts_ms, numbers, hour_scale(predicted.activity, block.vol_fast))
        rows = PendingRows(block.ts_ms, block.x, block.vol_fast, block.usable, **predicted.stored())
        pending, first_ms = self._pending, int(block.ts_ms[0])
        is_late = pending is not None and first_ms <= pending.ts_ms[-1]
        if pending is not None and first_ms == pending.ts_ms[-1] + GRID_STEP_MS:
            rows = pending.then(rows)
        ripe, waiting = rows.split(int(self.grid.history.ts_ms[-1]) - STEPS * GRID_STEP_MS)
        self._pending = pending.put(waiting, block.coins) if pending is not None and is_late else waiting
        return Lesson((scales,), self._matured(ripe, block.coins, numbers))

    def _matured(self, rows: PendingRows, coins: IntArray, numbers: IntArray) -> MaturedRows:
        """What followed the rows whose turn it is to teach; what followed the half-hours is kept too."""
        if not len(rows):
            return MaturedRows.none()
        history = self.grid.history
        first = int(rows.ts_ms[0] - history.ts_ms[0]) // GRID_STEP_MS
        window = slice(first, first + len(rows) + STEPS)
        log_price = history.log_price[window, coins]
        matured = outcomes(log_price, history.event_ms(window, coins), rows.vol_fast)
        scale = self.model.scale(rows.activity.astype(np.float64), rows.vol_fast, rows.x, rows.ts_ms[:, None])
        own = history.vol_mixed[first : first + len(rows), coins, None] * STEP_ROOTS
        self._scaled_hours.add(rows.ts_ms, coins, matured.move / np.where(np.isfinite(scale), scale, own))
        way = reached(log_price, history.extremes.part(window, coins))
        return MaturedRows.of(rows, numbers, rows.usable & self.model.in_turn(rows.ts_ms, numbers), matured, way)

    # -- forecasting -------------------------------------------------------------------------------------------------

    def at_origins(self, origins: Mapping[str, int]) -> AtOrigins:
        """What is known of coins, each at its own origin; no later price enters. Coins without a price are left out.

        Args:
            origins: coin → event time of its newest price, in UTC milliseconds.
        """
        listed = [coin for coin in origins if self.grid.newest(coin) is not None] if len(self.grid.history) else []
        coins = np.array([self.grid.column(coin) for coin in listed], dtype=np.int64)
        origin_ms = np.array([origins[coin] for coin in listed], dtype=np.int64)
        rows = self.grid.at(coins, origin_ms)
        priced = np.flatnonzero(np.isfinite(rows.price))
        rows = rows.part(priced)
        own = Spread(*self._empirical.get(self.grid, coins[priced][rows.static]))
        return AtOrigins([listed[row] for row in priced], origin_ms[priced], rows, own)

    def forecast(self, origins: Mapping[str, int]) -> Forecasts:
        """Forecasts of coins, each as of its own origin, as `at_origins` takes them."""
        known = self.at_origins(origins)
        self._widen()
        columns = np.array([self.grid.column(coin) for coin in known.coins], dtype=np.int64)
        return assemble_forecasts(self.model, self._numbers()[columns], known)

    # -- what others read --------------------------------------------------------------------------------------------

    def take_rows(self) -> dict[str, pa.Table]:
        """New rows of the published tables since the last call: name → rows.

        "features": completed rows in FEATURE_SCHEMA, at most those of the last day, with more than 1,000 coins of fewer
        hours. "scaled_hours": half-hours whose outcomes became known, in SCALED_HOURS_SCHEMA, at most those of 14 days.
        """
        features = feature_table((self._blocks.popleft() for _ in range(len(self._blocks))), self.grid.roster.coins)
        return {"features": features, "scaled_hours": self._scaled_hours.take(self.grid.roster.coins)}

    def _keep_block(self, block: FeatureBlock) -> None:
        self._blocks.append(block)
        rows = sum(waiting.usable.size for waiting in self._blocks)
        while self._blocks[0].ts_ms[-1] < block.ts_ms[-1] - _KEPT_ROWS_MS or rows > _MOST_KEPT_ROWS:
            rows -= self._blocks.popleft().usable.size

    def state(self) -> EngineState:
        """What has been learned, without the prices."""
        learned_ms = max([self._learned_ms, *self.grid.history.ts_ms[-1:].tolist()])
        roster = self.grid.roster
        return EngineState(tuple(roster.coins), self.model, self._pending, learned_ms, dict(roster.left_ms))

    @classmethod
    def from_state(cls, state: EngineState, peers: Peers | None = None) -> ForecastEngine:
        """An engine that goes on from `state` once the prices of the last `train_days` have been observed again."""
        engine = cls(state.model.options, peers=peers)
        engine.grid.roster = Roster(engine.options.train_days, state.coins, state.left_ms)
        engine.model = state.model
        engine._pending = state.pending
        engine._learned_ms = state.learned_ms
        engine._learned = set(range(len(state.coins)))
        return engine
