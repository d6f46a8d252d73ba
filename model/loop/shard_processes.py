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
import pyarrow.compute as pc

from core.accuracy.scores import SCORE_SCHEMA
from core.errors import ForecastingError
from core.forecast_schema import FORECAST_SCHEMA
from core.price_store import PriceReader
from core.store_address import NamedSchema, StoreAddress
from core.times import GRID_STEP_MS
from etl.arrays import IntArray
from etl.features.price_feed import collected
from etl.features.roster import Roster
from model.forecaster.assembly import AtOrigins, assemble_forecasts
from model.forecaster.engine import EngineState
from model.forecaster.forecasts import in_order
from model.forecaster.online_model import FitReport
from model.forecaster.pending_rows import PendingRows
from model.loop.shard_link import ShardLink, Start
from model.loop.shard_messages import (
    Begin,
    Collected,
    Done,
    Gather,
    Gathered,
    Order,
    Pull,
    Pulled,
    Question,
    Renew,
    Score,
    shard_of,
)
from model.loop.shard_model import ModelNews
from model.loop.shard_patience import Patience
from model.loop.shard_training import Answer, SharedTraining
from model.scoring.judge import Judged

__all__ = ["ShardProcesses"]

_Result = TypeVar("_Result", Pulled, Judged, Gathered)


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
        self._learned_ms = state.learned_ms
        self._learned = frozenset(state.coins)
        self._store = store
        self._keep_days = keep_days
        self._training = SharedTraining(state.model, state.learned_ms)
        self._roster = Roster(state.model.options.train_days, state.coins, state.left_ms)
        self._revisions: Mapping[str, int] = {}
        self._pulled: Mapping[ShardLink, Pulled] = {}
        self._forecasts = FORECAST_SCHEMA.empty_table()
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
        self._enrol(collected(prices), now_ms)
        self._tend(now_ms)
        members = [link for link in self._team if link.is_member]
        is_step_due = now_ms >= self._training.end_ms + GRID_STEP_MS
        extends = again or is_step_due or not all(link.knows_coins for link in members)
        orders = {link: self._pull_order(link, now_ms, again=again, extends=extends) for link in members}
        self._pulled = self._run(orders, Pulled)
        self.late = tuple(coin for coin in self._revisions if self._link(coin) not in self._pulled)
        for link, pulled in self._pulled.items():
            link.origins, link.published_ms = pulled.origins, self._training.end_ms
            link.succeeded()
            for name, rows in pulled.rows.items():
                self._rows.setdefault(name, []).append(rows)
        if not self._pulled:
            raise ForecastingError("all shards are lost")
        self._tend(now_ms)
        return sum(pulled.count for pulled in self._pulled.values())

    def refit(self, now_ms: int) -> FitReport:
        """Renew the models; the shards get them with the next block of grid rows."""
        return self._training.refit(now_ms)

    def forecast(self, model_version: str, now_ms: int, source: str) -> pa.Table:
        """The newest forecasts of all coins, in FORECAST_SCHEMA; of a lost shard the last ones."""
        last, self._forecasts = self._forecasts, FORECAST_SCHEMA.empty_table()
        if self._pulled:
            known = AtOrigins.joined([pulled.known for pulled in self._pulled.values()], self._numbers)
            made = assemble_forecasts(self._training.model, self._numbers(known.coins), known)
            self._forecasts = made.to_table(model_version, now_ms, source)
        if self.late:
            standing = last.filter(pc.is_in(last["coin"], pa.array(self.late)))
            self._forecasts = in_order(pa.concat_tables([self._forecasts, standing]), self._numbers)
        return self._forecasts

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
        if self._state is not None:  # no shard has begun
            return self._state
        known = self._run({link: Gather() for link in self._team if link.is_member}, Gathered).values()
        pending = PendingRows.merged(
            [(one.pending, self._numbers(one.coins)) for one in known if one.pending is not None]
        )
        learned_ms = max(self._learned_ms, self._training.end_ms, *(one.learned_ms for one in known))
        roster = self._roster
        return EngineState(tuple(roster.coins), self._training.model, pending, learned_ms, dict(roster.left_ms))

    def close(self) -> None:
        """End all processes; safe to call twice."""
        for link in self._team:
            link.end()

    # -- the coins ---------------------------------------------------------------------------------------------------

    def _link(self, coin: str) -> ShardLink:
        return self._team[shard_of(coin, len(self._team))]

    def _numbers(self, coins: Sequence[str]) -> IntArray:
        return np.array([self._roster.known_place(coin) for coin in coins], dtype=np.int64)

    def _enrol(self, revisions: Mapping[str, int], now_ms: int) -> None:
        if revisions == self._revisions:
            return
        self._revisions, roster = revisions, self._roster
        taken = roster.enrol(revisions, now_ms)
        self._training.enrol(roster, taken)
        self._learned &= frozenset(roster.coins)
        if self._state is not None:
            self._state = self._state.enrolled(roster, taken)
        for link in self._team:
            link.knows_coins = False

    def _told(self, link: ShardLink) -> Collected:
        """What a shard has to know of its coins; from now on it does."""
        link.knows_coins = True
        numbers = {coin: number for number, coin in enumerate(self._roster.coins) if self._link(coin) is link}
        return Collected(numbers, {coin: self._revisions[coin] for coin in numbers if coin in self._revisions})

    # -- the processes -----------------------------------------------------------------------------------------------

    def _tend(self, now_ms: int) -> None:
        """Replace lost processes, and let those take part that are ready; at the first start wait for all."""
        for link in self._team:
            if link.launch():
                link.send(_pickled(self._beginning(link, now_ms)))
        for link in self._team:
            if not link.is_member and (self._training.market is None or link.has_answered()):
                link.is_member = link.receive() is not None
        self._state = None

    def _beginning(self, link: ShardLink, now_ms: int) -> Begin:
        model = self._training.whole_model()
        link.model_number = model.number
        link.market_end_ms = None if self._training.market is None else self._training.end_ms
        return Begin(
            store=self._store,
            model=model,
            known=self._known(link),
            keep_days=self._keep_days,
            coins=self._told(link),
            market=self._training.market,
            published_ms=link.published_ms,
            now_ms=now_ms,
        )

    def _known(self, link: ShardLink) -> Gathered:
        """The part of the first state that is a shard's; later a shard begins without rows of its own."""
        coins = tuple(coin for coin in self._roster.coins if coin in self._learned and self._link(coin) is link)
        pending = None if self._state is None else self._state.pending
        numbers = self._numbers(coins)
        rows = None if pending is None else pending.of_coins(numbers[numbers < pending.x.shape[1]])
        return Gathered(coins, rows, self._learned_ms)

    def _pull_order(self, link: ShardLink, now_ms: int, *, again: bool, extends: bool) -> Pull:
        missed = None
        if self._training.market is not None and link.market_end_ms is not None:
            missed = self._training.market.since(link.market_end_ms + 1)
        link.market_end_ms = None
        missed = missed if missed is not None and len(missed.ts_ms) else None
        return Pull(now_ms, again, extends, None if link.knows_coins else self._told(link), missed)

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
        answer = self._training.answer(list(asked.values()))
        if isinstance(next(iter(asked.values())), Renew):
            self._send_news(list(asked))
        else:
            content = _pickled(answer)
            for link in asked:
                link.send(content)

    def _send_news(self, links: Sequence[ShardLink]) -> None:
        """Tell how the model has changed; a rebuilt shard may have another version of it than the others."""
        news = {number: self._training.news(number) for number in {link.model_number for link in links}}
        content = {number: _pickled(change) for number, change in news.items()}
        for link in links:
            link.send(content[link.model_number])
            change = news[link.model_number]
            link.model_number = link.model_number if change is None else change.number


def _pickled(message: Order | Answer | ModelNews) -> bytes:
    return pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
