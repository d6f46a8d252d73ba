"""Where coins are turned into forecasts: the seam between the loop and the processes that do the work of each coin."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import pyarrow as pa

from core.price_store import PriceReader
from etl.features.price_feed import PriceFeed, collected
from model.forecaster.engine import EngineOptions, EngineState, ForecastEngine
from model.forecaster.online_model import FitReport
from model.forecaster.peers import Peers
from model.forecaster.prior import Prior
from model.scoring.judge import Judged, PriceJudge

__all__ = ["Executor", "OneProcess", "first_state"]


class Executor(Protocol):
    """The engine of all coins, in one process or in shards."""

    @property
    def origins(self) -> Mapping[str, int]:
        """Event time in UTC milliseconds of the newest price that a grid has, by coin."""

    @property
    def late(self) -> tuple[str, ...]:
        """Coins whose last forecast could not be renewed, because their shard is being rebuilt."""

    @property
    def can_fit(self) -> bool:
        """Whether there are rows enough to fit the models."""

    def pull(self, prices: PriceReader, now_ms: int, *, again: bool) -> int:
        """Carry new prices to the grids and bring these up to date; `again` after the store became another one.

        Returns:
            The number of new prices.
        """

    def refit(self, now_ms: int) -> FitReport:
        """Renew the models."""

    def forecast(self, model_version: str, now_ms: int, source: str) -> pa.Table:
        """The newest forecasts of all coins with a price, in FORECAST_SCHEMA."""

    def take_rows(self) -> Mapping[str, pa.Table]:
        """New rows of the published tables since the last call: name → rows."""

    def judge(self, due: pa.Table, prices: PriceReader) -> Judged:
        """Outcomes and scores of forecasts (FORECAST_SCHEMA) whose targets their coins' newest prices have reached."""

    def state(self) -> EngineState:
        """What has been learned, without the prices."""

    def close(self) -> None:
        """End what was started; safe to call twice."""


def first_state(options: EngineOptions) -> EngineState:
    """The state of an engine that starts from the shipped prior."""
    return ForecastEngine(options, Prior.load()).state()


class OneProcess:
    """The coins of one shard, by default all, in this process.

    Args:
        state: what to go on from.
        peers: how the engine learns with those of other shards.
        keep_days: days of prices that it reads; by default all that the model is trained on.
        busy: called between the parts of what may take long.
    """

    late: tuple[str, ...] = ()

    def __init__(
        self,
        state: EngineState,
        peers: Peers | None = None,
        keep_days: int | None = None,
        busy: Callable[[], None] = lambda: None,
    ) -> None:
        self._busy = busy
        self._judge = PriceJudge(busy)
        self.engine = ForecastEngine.from_state(state, peers)
        self.feed = PriceFeed(self.engine.grid, keep_days or self.engine.options.train_days, busy)

    @property
    def origins(self) -> Mapping[str, int]:
        """Event time in UTC milliseconds of the newest price that the grid has, by coin."""
        return self.feed.origins

    @property
    def can_fit(self) -> bool:
        """Whether there are rows enough to fit the models."""
        return self.engine.model.can_fit

    def read(self, prices: PriceReader, revisions: Mapping[str, int], now_ms: int, *, again: bool) -> int:
        """Carry new prices of the coins with these revisions to the grid without computing anything; their number."""
        if again:
            self.feed.begin_again()
        self.engine.enrol(revisions, now_ms)
        return self.feed.pull(prices, revisions, now_ms)

    def pull(self, prices: PriceReader, now_ms: int, *, again: bool) -> int:
        """Carry new prices to the grid and bring it up to date; their number."""
        count = self.read(prices, collected(prices), now_ms, again=again)
        self.engine.advance(now_ms, self._busy)
        return count

    def refit(self, now_ms: int) -> FitReport:
        """Renew the models."""
        return self.engine.refit(now_ms)

    def forecast(self, model_version: str, now_ms: int, source: str) -> pa.Table:
        """The newest forecasts of all coins with a price, in FORECAST_SCHEMA."""
        return self.engine.forecast(self.feed.origins).to_table(model_version, now_ms, source)

    def take_rows(self) -> Mapping[str, pa.Table]:
        """New rows of the published tables since the last call."""
        return self.engine.take_rows()

    def judge(self, due: pa.Table, prices: PriceReader) -> Judged:
        """Outcomes and scores of forecasts that are due."""
        return self._judge.judge(due, prices)

    def state(self) -> EngineState:
        """What has been learned, without the prices."""
        return self.engine.state()

    def close(self) -> None:
        """Nothing was started."""
