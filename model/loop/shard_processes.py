"""Coins in shards, each in a process of its own; this one trains and puts together what they make.

Training is exact: the shards send the few rows whose turn it is to teach, the model learns them in the order that they
have in one process, and goes back to the shards. A shard whose process ends is rebuilt from the price store beside the
others, which go on; meanwhile its last forecasts stand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from multiprocessing.reduction import ForkingPickler
from typing import TypeVar

import numpy as np
import pyarrow as pa

from core.errors import ForecastingError
from core.forecast_schema import HORIZONS_MIN
from core.price_store import PriceReader
from core.store_address import StoreAddress
from model.forecaster.engine import EngineState
from model.forecaster.online_model import FitReport, OnlineModel
from model.forecaster.pending_rows import PendingRows
from model.loop.shard_link import ShardLink, Start
from model.loop.shard_messages import (
    Begin,
    Done,
    Forecast,
    Forecasted,
    Gather,
    Gathered,
    Order,
    Pull,
    Pulled,
    Question,
    shard_of,
)
from model.loop.shard_training import Answer, SharedTraining

__all__ = ["ShardProcesses"]

_Result = TypeVar("_Result", Pulled, Forecasted, Gathered)


class ShardProcesses:
    """An executor with one process per shard.

    Args:
        state: what to go on from.
        store: where the prices are.
        shards: number of shards.
        start: starts the process of a shard.

    Attributes:
        late: coins whose last forecasts could not be renewed, because their shard is being rebuilt.
    """

    def __init__(self, state: EngineState, store: StoreAddress, shards: int, start: Start) -> None:
        self.late: tuple[str, ...] = ()
        self._state: EngineState | None = state
        self._store = store
        self._training = SharedTraining(state.model)
        self._roster = {coin: number for number, coin in enumerate(state.coins)}
        self._listed: tuple[str, ...] = ()
        self._published_ms = -1
        self._rows: dict[str, list[pa.Table]] = {}
        self._team = [ShardLink(number, start) for number in range(shards)]

    # -- what the loop asks for --------------------------------------------------------------------------------------

    @property
    def origins(self) -> Mapping[str, int]:
        """Event time in UTC milliseconds of the newest price that a grid has, by coin."""
        return {coin: ts_ms for link in self._team for coin, ts_ms in link.origins.items()}

    @property
    def can_fit(self) -> bool:
        """Whether there are rows enough to fit the models."""
        return self._training.model.can_fit

    def pull(self, prices: PriceReader, now_ms: int, *, again: bool) -> int:
        """Let all shards read their new prices and bring their grids up to date together; the number of prices.

        Raises:
            ForecastingError: all shards are lost.
        """
        self._enrol([coin.id for coin in prices.coins()])
        self._tend(now_ms)
        orders = {link: self._pull_order(link, now_ms, again=again) for link in self._team if link.is_member}
        results = self._run(orders, Pulled)
        for link, pulled in results.items():
            link.origins = pulled.origins
            link.succeeded()
        if not results:
            raise ForecastingError("all shards are lost")
        return sum(pulled.count for pulled in results.values())

    def refit(self, now_ms: int) -> FitReport:
        """Renew the models; the shards get them with the next order."""
        return self._training.refit(now_ms)

    def forecast(self, model_version: str, now_ms: int, source: str) -> pa.Table:
        """The newest forecasts of all coins, in FORECAST_SCHEMA; of a lost shard the last ones."""
        orders = {
            link: Forecast(model_version, now_ms, source, self._newer_model(link))
            for link in self._team
            if link.is_member
        }
        results = self._run(orders, Forecasted)
        self.late = tuple(coin for coin in self._listed if self._link(coin) not in results)
        for link, made in results.items():
            link.forecasts = made.forecasts
            for name, rows in made.rows.items():
                self._rows.setdefault(name, []).append(rows)
        if self._training.market is not None:
            self._published_ms = int(self._training.market.ts_ms[-1])
        self._tend(now_ms)
        return self._in_order(pa.concat_tables([link.forecasts for link in self._team]))

    def take_rows(self) -> Mapping[str, pa.Table]:
        """New rows of the published tables since the last call."""
        taken = {name: pa.concat_tables(tables) for name, tables in self._rows.items()}
        self._rows.clear()
        return taken

    def state(self) -> EngineState:
        """What has been learned, without the prices; rows that a lost shard kept pending are missing."""
        orders: dict[ShardLink, Order] = {link: Gather() for link in self._team if link.is_member}
        known = self._run(orders, Gathered).values()
        pending = _merged([(one.pending, self._numbers(one.coins)) for one in known if one.pending is not None])
        learned_ms = max((one.learned_ms for one in known), default=-1)
        return EngineState(tuple(self._roster), self._training.model, pending, learned_ms)

    def close(self) -> None:
        """End all processes; safe to call twice."""
        for link in self._team:
            link.end()

    # -- the coins ---------------------------------------------------------------------------------------------------

    def _link(self, coin: str) -> ShardLink:
        return self._team[shard_of(coin, len(self._team))]

    def _numbers(self, coins: Sequence[str]) -> list[int]:
        return [self._roster[coin] for coin in coins]

    def _enrol(self, listed: Sequence[str]) -> None:
        self._listed = tuple(listed)
        for coin in listed:
            self._roster.setdefault(coin, len(self._roster))
        self._training.model.widen(len(self._roster))

    def _in_order(self, forecasts: pa.Table) -> pa.Table:
        """The twelve rows of each coin by its number."""
        horizons = len(HORIZONS_MIN)
        numbers = self._numbers(forecasts["coin"].take(np.arange(0, len(forecasts), horizons)).to_pylist())
        rows = np.argsort(numbers)[:, None] * horizons + np.arange(horizons)
        return forecasts.take(rows.ravel()).combine_chunks()

    # -- the processes -----------------------------------------------------------------------------------------------

    def _tend(self, now_ms: int) -> None:
        """Replace lost processes, and let those take part that are ready; at the first start wait for all."""
        for link in self._team:
            link.launch()
        for link in self._team:
            while link.is_running and not link.is_member and (self._training.market is None or link.has_answered()):
                if link.receive() is None:
                    break
                if link.is_begun:
                    link.is_member = True
                else:
                    link.send(_pickled(self._beginning(link, now_ms)))
        self._state = None

    def _beginning(self, link: ShardLink, now_ms: int) -> Begin:
        link.is_begun = True
        link.roster_size, link.model_number = len(self._roster), self._training.model_number
        link.market_end_ms = None if self._training.market is None else int(self._training.market.ts_ms[-1])
        return Begin(
            shard=link.number,
            shards=len(self._team),
            store=self._store,
            state=self._part(link),
            roster=tuple(self._roster),
            market=self._training.market,
            published_ms=self._published_ms,
            now_ms=now_ms,
        )

    def _part(self, link: ShardLink) -> EngineState:
        """The part of the first state that is a shard's; later a shard begins without rows of its own."""
        model = self._training.model.without_rows()
        if self._state is None:
            return EngineState((), model, None, -1)
        coins = tuple(coin for coin in self._state.coins if self._link(coin) is link)
        pending = self._state.pending
        known = None if pending is None else [n for n in self._numbers(coins) if n < pending.x.shape[1]]
        rows = None if pending is None else pending.of_coins(np.array(known, dtype=np.int64))
        return EngineState(coins, model, rows, self._state.learned_ms)

    def _pull_order(self, link: ShardLink, now_ms: int, *, again: bool) -> Pull:
        joined = tuple(self._roster)[link.roster_size :]
        link.roster_size = len(self._roster)
        missed = None
        if self._training.market is not None and link.market_end_ms is not None:
            missed = self._training.market.since(link.market_end_ms + 1)
        link.market_end_ms = None
        missed = missed if missed is not None and len(missed.ts_ms) else None
        return Pull(now_ms, again, joined, missed, self._newer_model(link))

    def _newer_model(self, link: ShardLink) -> OnlineModel | None:
        if link.model_number == self._training.model_number:
            return None
        link.model_number = self._training.model_number
        return self._training.model.without_rows()

    # -- what all do together ----------------------------------------------------------------------------------------

    def _run(self, orders: Mapping[ShardLink, Order], answer: type[_Result]) -> dict[ShardLink, _Result]:
        """Give orders and answer the questions on the way; the results of the shards that carried theirs out."""
        for link, order in orders.items():
            link.send(_pickled(order))
        results: dict[ShardLink, _Result] = {}
        busy = list(orders)
        while busy:
            said = {link: link.receive() for link in busy}
            asked = {link: one for link, one in said.items() if one is not None and not isinstance(one, Done)}
            for link, one in said.items():
                if isinstance(one, Done) and isinstance(one.result, answer):
                    results[link] = one.result
            if asked:
                self._reply(asked)
            busy = list(asked)
        return results

    def _reply(self, asked: Mapping[ShardLink, Question]) -> None:
        answer = self._training.answer(list(asked.values()))
        content = _pickled(answer)
        for link in asked:
            link.send(content)
            if isinstance(answer, OnlineModel):
                link.model_number = self._training.model_number


def _pickled(message: Order | Answer) -> bytes:
    return bytes(ForkingPickler.dumps(message))


def _merged(parts: Sequence[tuple[PendingRows, Sequence[int]]]) -> PendingRows | None:
    """The pending rows of all shards, from those of each and the numbers of its coins."""
    if not parts:
        return None
    longest, _ = max(parts, key=lambda part: len(part[0]))
    whole = longest.of_coins(np.zeros(0, dtype=np.int64))
    for rows, numbers in parts:
        whole = whole.put(rows, np.array(numbers, dtype=np.int64)[: rows.x.shape[1]])
    return whole
