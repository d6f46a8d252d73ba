"""Coins in shards, each in a process of its own; this one trains and puts together what they make.

Training is exact: the shards send the few rows whose turn it is to teach, the model learns them in the order that they
have in one process, and what has changed in it goes back to the shards. A shard whose process ends or hangs is rebuilt
from the price store beside the others, which go on; meanwhile its last forecasts stand.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import numpy as np
import pyarrow as pa

from core.accuracy.scores import SCORE_SCHEMA
from core.errors import ForecastingError
from core.forecast_schema import HORIZONS_MIN
from core.price_store import PriceReader
from core.store_address import NamedSchema, StoreAddress
from model.forecaster.engine import EngineState
from model.forecaster.online_model import FitReport
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
    Score,
    shard_of,
)
from model.loop.shard_model import ModelNews
from model.loop.shard_patience import Patience
from model.loop.shard_training import Answer, SharedTraining
from model.scoring.judge import Judged

__all__ = ["ShardProcesses"]

_Result = TypeVar("_Result", Pulled, Forecasted, Judged, Gathered)


class ShardProcesses:
    """An executor with one process per shard.

    Args:
        state: what to go on from.
        store: where the prices are.
        shards: number of shards.
        start: starts the process of a shard.
        interval_s: time between two cycles, of which a shard that hangs may cost a part.
        keep_days: days of prices that are read; by default all that the model is trained on.
        busy: called between the answers of the shards.

    Attributes:
        late: coins whose last forecasts could not be renewed, because their shard is being rebuilt.
    """

    def __init__(
        self,
        state: EngineState,
        store: StoreAddress | NamedSchema,
        shards: int,
        start: Start,
        interval_s: float,
        *,
        keep_days: int | None = None,
        busy: Callable[[], None] = lambda: None,
    ) -> None:
        self._busy = busy
        self.late: tuple[str, ...] = ()
        self._state: EngineState | None = state
        self._store = store
        self._keep_days = keep_days
        self._training = SharedTraining(state.model)
        self._roster = {coin: number for number, coin in enumerate(state.coins)}
        self._listed: tuple[str, ...] = ()
        self._published_ms = -1
        self._rows: dict[str, list[pa.Table]] = {}
        self._patience = Patience(interval_s)
        self._team = [ShardLink(number, start, self._patience) for number in range(shards)]

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

    def judge(self, due: pa.Table, prices: PriceReader) -> Judged:
        """Outcomes and scores of forecasts that are due; those of a lost shard have no outcome yet."""
        del prices
        owner = np.array([shard_of(coin, len(self._team)) for coin in due["coin"].to_pylist()], dtype=np.int64)
        rows = {link: np.flatnonzero(owner == link.number) for link in self._team if link.is_member}
        orders = {link: Score(due.take(of_shard)) for link, of_shard in rows.items() if len(of_shard)}
        results = self._run(orders, Judged)
        has_outcome = np.zeros(len(due), dtype=bool)
        for link, judged in results.items():
            has_outcome[rows[link]] = judged.has_outcome
        scores = [SCORE_SCHEMA.empty_table(), *(judged.scores for judged in results.values())]
        return Judged(has_outcome, pa.concat_tables(scores))

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
        self._listed, known = tuple(listed), len(self._roster)
        for coin in listed:
            self._roster.setdefault(coin, len(self._roster))
        if len(self._roster) > known:
            self._training.widen(len(self._roster))

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
        model = self._training.whole_model()
        link.is_begun = True
        link.roster_size, link.model_number = len(self._roster), model.number
        link.market_end_ms = None if self._training.market is None else int(self._training.market.ts_ms[-1])
        return Begin(
            shard=link.number,
            shards=len(self._team),
            store=self._store,
            model=model,
            known=self._known(link),
            keep_days=self._keep_days,
            roster=tuple(self._roster),
            market=self._training.market,
            published_ms=self._published_ms,
            now_ms=now_ms,
        )

    def _known(self, link: ShardLink) -> Gathered:
        """The part of the first state that is a shard's; later a shard begins without rows of its own."""
        if self._state is None:
            return Gathered((), None, -1)
        coins = tuple(coin for coin in self._state.coins if self._link(coin) is link)
        pending = self._state.pending
        known = None if pending is None else [n for n in self._numbers(coins) if n < pending.x.shape[1]]
        rows = None if pending is None else pending.of_coins(np.array(known, dtype=np.int64))
        return Gathered(coins, rows, self._state.learned_ms)

    def _pull_order(self, link: ShardLink, now_ms: int, *, again: bool) -> Pull:
        joined = tuple(self._roster)[link.roster_size :]
        link.roster_size = len(self._roster)
        missed = None
        if self._training.market is not None and link.market_end_ms is not None:
            missed = self._training.market.since(link.market_end_ms + 1)
        link.market_end_ms = None
        missed = missed if missed is not None and len(missed.ts_ms) else None
        return Pull(now_ms, again, joined, missed, self._newer_model(link))

    def _newer_model(self, link: ShardLink) -> ModelNews | None:
        news = self._training.news(link.model_number)
        if news is not None:
            link.model_number = news.number
        return news

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
            self._busy()
        self._patience.end_order()
        return results

    def _reply(self, asked: Mapping[ShardLink, Question]) -> None:
        """Answer all that asked, who have the same version of the model."""
        answer = self._training.answer(list(asked.values()))
        news = [self._newer_model(link) for link in asked] if answer is None else [None]
        content = _pickled(news[0] if answer is None else answer)
        for link in asked:
            link.send(content)


def _pickled(message: Order | Answer | ModelNews) -> bytes:
    return pickle.dumps(message, pickle.HIGHEST_PROTOCOL)


def _merged(parts: Sequence[tuple[PendingRows, Sequence[int]]]) -> PendingRows | None:
    """The pending rows of all shards, from those of each and the numbers of its coins."""
    if not parts:
        return None
    longest, _ = max(parts, key=lambda part: len(part[0]))
    whole = longest.of_coins(np.zeros(0, dtype=np.int64))
    for rows, numbers in parts:
        whole = whole.put(rows, np.array(numbers, dtype=np.int64)[: rows.x.shape[1]])
    return whole
