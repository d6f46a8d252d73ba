"""One shard as the coordinator sees it: its process, the connection to it, and what it answered last."""

from __future__ import annotations

import logging
import multiprocessing
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from typing import Final, Protocol

import pyarrow as pa

from core.forecast_schema import FORECAST_SCHEMA
from core.logs import LogFormat
from model.loop.restart_backoff import RestartBackoff
from model.loop.shard_messages import Done, Failed, Question
from model.loop.shard_worker import run_worker

__all__ = ["Running", "ShardLink", "Start", "process_starter"]

_FIRST_PAUSE_S: Final = 1.0
"""A process that ends again before it has done anything is replaced after a pause."""
_PATIENCE_S: Final = 300.0
"""A shard that says nothing for so long in the middle of an order counts as lost."""

_END_S: Final = 3.0

_log = logging.getLogger(__name__)


class Running(Protocol):
    """What serves a connection: a process, or in tests a thread."""

    def kill(self) -> None:
        """End it at once."""

    def join(self, timeout: float | None = None) -> None:
        """Wait for its end."""


Start = Callable[[Connection], Running]
"""Starts what serves a connection, which belongs to it from then on."""


def process_starter(log_level: str, log_format: LogFormat) -> Start:
    """Make what starts the process of a shard on this machine."""
    context = multiprocessing.get_context("spawn")

    def start(connection: Connection) -> Running:
        process = context.Process(target=run_worker, args=(connection, log_level, log_format), daemon=True)
        process.start()
        connection.close()
        return process

    return start


class ShardLink:
    """A shard and its process, which may be replaced.

    Attributes:
        is_begun: its process has been told what to do.
        is_member: it takes part in what all shards do together.
        roster_size: coins of the roster that it knows.
        model_number: of the model that it has.
        market_end_ms: last grid point of the market that it was rebuilt with, None if it has seen the whole.
        origins: event time of the newest price of each of its coins.
        forecasts: its last ones, in FORECAST_SCHEMA.
    """

    def __init__(self, number: int, start: Start) -> None:
        self.number = number
        self.is_begun = self.is_member = False
        self.roster_size = 0
        self.model_number = -1
        self.market_end_ms: int | None = None
        self.origins: Mapping[str, int] = {}
        self.forecasts: pa.Table = FORECAST_SCHEMA.empty_table()
        self._start = start
        self._process: Running | None = None
        self._connection: Connection | None = None
        self._restarts = RestartBackoff(_FIRST_PAUSE_S)
        self._is_doubtful = False

    def launch(self) -> None:
        """Start a process, unless one runs or the last one has ended too often."""
        if self._process is None and not self._restarts.is_waiting():
            self._connection, its_end = multiprocessing.Pipe()
            self._process = self._start(its_end)

    @property
    def is_running(self) -> bool:
        """Whether there is a process."""
        return self._process is not None

    def send(self, content: bytes) -> None:
        """Send a pickled order or answer; to a process that has ended, nothing."""
        if self._connection is not None:
            try:
                self._connection.send_bytes(content)
            except OSError:
                _log.warning("shard %d is gone", self.number)

    def has_answered(self) -> bool:
        """Whether `receive` would not wait."""
        return self._connection is not None and self._connection.poll()

    def receive(self) -> Question | Done | None:
        """What the process says next; None if it has ended, which makes the shard a lost one."""
        reason = f"silent for {_PATIENCE_S:.0f} s"
        try:
            if self._connection is not None and self._connection.poll(_PATIENCE_S):
                said: Question | Done | Failed = self._connection.recv()
                if not isinstance(said, Failed):
                    return said
                reason = said.reason
        except (EOFError, OSError) as error:
            reason = repr(error)
        _log.error("shard %d is lost: %s", self.number, reason)
        if self._is_doubtful:
            self._restarts.failed(reason)
        self._is_doubtful = True
        self.end()
        return None

    def succeeded(self) -> None:
        """The process has carried out an order with the others: the next one that ends is replaced at once."""
        self._is_doubtful = False
        self._restarts.succeeded()

    def end(self) -> None:
        """End the process; safe to call twice."""
        self.is_begun = self.is_member = False
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._process is not None:
            self._process.kill()
            self._process.join(_END_S)
            self._process = None
