"""The process of one shard: it keeps the grid of its coins in memory, and computes features and forecasts of them."""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Protocol

import numpy as np

from core.logs import LogFormat, configure_logging
from core.processes.child import end_with_parent
from core.settings import PARENT_VARIABLE
from etl.arrays import FloatArray, IntArray
from etl.features.shared_market import GridBounds
from model.forecaster.engine import EngineState
from model.forecaster.lesson import Lesson
from model.forecaster.online_model import OnlineModel
from model.loop.executor import OneProcess
from model.loop.price_connection import PriceConnection
from model.loop.shard_messages import (
    AddUp,
    Agree,
    Begin,
    Busy,
    Collected,
    Done,
    Failed,
    Gather,
    Gathered,
    MarketRecord,
    Order,
    Pull,
    Pulled,
    Question,
    Renew,
    Score,
    Teach,
)
from model.loop.shard_model import ModelCopy, ModelNews

__all__ = ["Connection", "run_worker", "serve"]

_BUSY_S: Final = 1.0
"""A shard that works without asking anything says that it does after so long."""

_log = logging.getLogger(__name__)


class Connection(Protocol):
    """The worker's end of a line to the coordinator (`shard_link.Line`).

    Both methods raise EOFError or OSError once the coordinator is gone, if the process does not end before.
    """

    def send(self, said: object, /) -> None:
        """Say something of `Said`."""

    def recv(self) -> Any:
        """Wait for an order, or the answer to a question."""

    def close(self) -> None:
        """Nothing more will be said."""


class _Peers:
    """Agrees with the other shards through the coordinator, or follows the record of a market that has passed."""

    def __init__(self, connection: Connection) -> None:
        self.record: MarketRecord | None = None
        self._connection = connection
        self._copy = ModelCopy()
        self._said_s = time.monotonic()
        self.number: Mapping[str, int] = {}

    def numbers(self, coins: Sequence[str]) -> IntArray:
        """The numbers of coins among those of all shards (k,); a coin that has lost its own has no rows that count."""
        return np.array([self.number.get(coin, 0) for coin in coins], dtype=np.int64)

    def enrolled(self, model: OnlineModel, taken: IntArray, absent: int) -> None:
        """The coordinator's model has taken notice."""

    def agree(self, own: GridBounds) -> GridBounds:
        """The bounds of all coins; of a market that has passed, those of its record."""
        if self.record is None:
            bounds: GridBounds = self._ask(Agree(own))
            return bounds
        first_ms, last_ms = int(self.record.ts_ms[0]), int(self.record.ts_ms[-1])
        return replace(own, first_ms=first_ms, latest_ms=max(own.latest_ms, last_ms))

    def add_up(self, ts_ms: IntArray, own: FloatArray) -> FloatArray:
        """The market's sums over all coins."""
        if self.record is None:
            sums: FloatArray = self._ask(AddUp(MarketRecord(ts_ms, own)))
            return sums
        return self.record.sums[np.searchsorted(self.record.ts_ms, ts_ms)]

    def renewed(self, model: OnlineModel, ts_ms: int) -> OnlineModel:
        """The model to predict with from `ts_ms` on."""
        if self.record is not None:
            return model
        news: ModelNews | None = self._ask(Renew(ts_ms))
        return model if news is None else self.model(news)

    def teach(self, model: OnlineModel, lesson: Lesson) -> None:
        """The coordinator's model learns from the lessons of all shards."""
        del model
        if self.record is None:
            self._ask(Teach(lesson))

    def model(self, news: ModelNews) -> OnlineModel:
        """The model that the news tell of."""
        return self._copy.take(news)

    def busy(self) -> None:
        """Say that the shard is at work, if it has said nothing for a while."""
        if time.monotonic() - self._said_s > _BUSY_S:
            self._say(Busy())

    def _ask(self, question: Question) -> Any:
        self._say(question)
        return self._connection.recv()

    def _say(self, said: Question | Busy) -> None:
        self._connection.send(said)
        self._said_s = time.monotonic()


class _Shard:
    """Carries out the orders of the coordinator."""

    def __init__(self, connection: Connection, begin: Begin) -> None:
        self._peers = peers = _Peers(connection)
        self._told(begin.coins)
        known = begin.known
        state = EngineState(known.coins, peers.model(begin.model), known.pending, known.learned_ms)
        self._coins = OneProcess(state, peers, keep_days=begin.keep_days, busy=peers.busy)
        self._prices = PriceConnection(begin.store)
        if begin.market is not None:
            self._read(begin.now_ms, again=False)
            self._follow(begin.market, begin.published_ms)

    def close(self) -> None:
        """Close the connection to the price store."""
        self._prices.close()

    def carry_out(self, order: Order) -> Done:
        """Carry out one order."""
        match order:
            case Pull():
                return Done(self._pull(order))
            case Score(due):
                return Done(self._coins.judge(due, self._prices.reader))
            case Gather():
                state = self._coins.state()
                return Done(Gathered(state.coins, state.pending, state.learned_ms))
            case Begin():
                raise ValueError("a shard begins once")

    def _pull(self, order: Pull) -> Pulled:
        coins = self._coins
        if order.coins is not None:
            self._told(order.coins)
        count = self._read(order.now_ms, again=order.again)
        if order.missed is not None:
            self._follow(order.missed, -1)
        if order.extends:
            coins.engine.advance(order.now_ms)
        rows = {name: rows for name, rows in coins.take_rows().items() if len(rows)}
        return Pulled(count, coins.origins, coins.engine.at_origins(coins.origins), rows)

    def _told(self, coins: Collected) -> None:
        self._peers.number = coins.numbers
        self._revisions = coins.revisions

    def _read(self, now_ms: int, *, again: bool) -> int:
        again = self._prices.renew() or again
        return self._coins.read(self._prices.reader, self._revisions, now_ms, again=again)

    def _follow(self, record: MarketRecord, published_ms: int) -> None:
        """Complete the grid over a market that has passed."""
        self._peers.record = record
        self._coins.engine.rejoin(record.ts_ms, record.sums, published_ms, self._peers.busy)
        self._peers.record = None


def serve(connection: Connection) -> None:
    """Carry out orders until the connection ends or one fails; the first is `Begin`."""
    shard: _Shard | None = None
    try:
        while True:
            order: Order = connection.recv()
            if isinstance(order, Begin):
                shard = _Shard(connection, order)
                connection.send(Done(None))
            elif shard is not None:
                connection.send(shard.carry_out(order))
    except (EOFError, ConnectionError):
        _log.info("the coordinator has closed the connection")
    except Exception as error:
        _log.exception("the shard ends")
        connection.send(Failed(repr(error)))
    finally:
        if shard is not None:
            shard.close()
        connection.close()


def run_worker(connection: Connection, log_level: str, log_format: LogFormat) -> None:
    """Be the process of a shard; it ends with the one that started it, whatever signals the group gets before."""
    os.environ[PARENT_VARIABLE] = str(os.getppid())
    end_with_parent()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    configure_logging(log_level, log_format)
    serve(connection)
