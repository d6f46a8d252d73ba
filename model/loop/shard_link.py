"""One shard as the coordinator sees it: the line to its process, and what it answered last."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from model.loop.restart_backoff import RestartBackoff
from model.loop.shard_messages import Busy, Done, Failed, Question, Said
from model.loop.shard_patience import START_S, Patience

__all__ = ["Line", "ShardLink", "Start"]

_FIRST_PAUSE_S: Final = 1.0
"""A process that ends again before it has done anything is replaced after a pause."""

_LAST_LOOK_S: Final = 1.0
"""Patience never ends sooner after a look: the shards that are asked one after the other have worked together."""

_log = logging.getLogger(__name__)


class Line(Protocol):
    """What a transport must give: a process that runs `shard_worker.serve`, and messages both ways.

    Messages arrive whole, once and in order. The worker's end has `send(object)` and `recv()`, which pickle; once the
    coordinator is gone, both raise EOFError or OSError, or the process ends.
    """

    def send(self, content: bytes) -> None:
        """Take a pickled message to be delivered, without waiting for the worker; to one that has ended, nothing."""

    def has_news(self, patience_s: float) -> bool:
        """Wait until `receive` would not, but no longer than so many seconds; whether it would not."""

    def receive(self) -> Said:
        """The next message of the worker.

        Raises:
            EOFError, OSError: the worker has ended.
        """

    def end(self) -> None:
        """End the worker at once, also one that hangs, and free what the line holds."""


Start = Callable[[], Line]
"""Starts a worker, without waiting until it is ready."""


class ShardLink:
    """A shard and its process, which may be replaced.

    Attributes:
        is_member: it takes part in what all shards do together.
        knows_coins: it knows the coins as the price store has them now.
        model_number: of the version of the model that it has; -1 without one.
        market_end_ms: last grid point of the market that it was rebuilt with, None if it has seen the whole.
        published_ms: grid point up to which its rows of the published tables have been taken; -1 without any.
        origins: event time of the newest price of each of its coins.
    """

    def __init__(self, number: int, start: Start, patience: Patience) -> None:
        self.number = number
        self.is_member = self.knows_coins = False
        self.model_number = -1
        self.market_end_ms: int | None = None
        self.published_ms = -1
        self.origins: Mapping[str, int] = {}
        self._start = start
        self._patience = patience
        self._line: Line | None = None
        self._answer: Question | Done | None = None
        self._heard_s = 0.0
        self._restarts = RestartBackoff(_FIRST_PAUSE_S)
        self._is_doubtful = False

    def launch(self) -> bool:
        """Start a process, unless one runs or the last one has ended too often; whether one was started."""
        if self._line is not None or self._restarts.is_waiting():
            return False
        self._line = self._start()
        return True

    def send(self, content: bytes) -> None:
        """Send a pickled order or answer; to a process that has ended, nothing."""
        self._heard_s = time.monotonic()
        if self._line is not None:
            self._line.send(content)

    def has_answered(self) -> bool:
        """Whether it has something to say, other than that it is busy; one that hangs or has ended is given up."""
        while self._answer is None and self._line is not None and self._line.has_news(0.0):
            self._listen(self._line, is_awaited=False)
        if self._answer is None and self._line is not None and self._left_s() < 0:
            self._lose(f"silent for {self._patience_s():.0f} s")
        return self._answer is not None

    def receive(self) -> Question | Done | None:
        """What the process says next, other than that it is busy; None if it has ended or hangs: the shard is lost."""
        while self._answer is None and self._line is not None:
            waits_for_us = time.monotonic() - self._heard_s > _LAST_LOOK_S and self._line.has_news(0.0)
            if waits_for_us or self._line.has_news(max(self._left_s(), _LAST_LOOK_S)):
                self._listen(self._line, is_awaited=not waits_for_us)
            else:
                self._lose(f"silent for {self._patience_s():.0f} s")
        answer, self._answer = self._answer, None
        return answer

    def succeeded(self) -> None:
        """The process has carried out an order with the others: the next one that ends is replaced at once."""
        self._is_doubtful = False
        self._restarts.succeeded()

    def end(self) -> None:
        """End the process; safe to call twice."""
        self.is_member = False
        self._answer = None
        if self._line is not None:
            self._line.end()
            self._line = None

    def _patience_s(self) -> float:
        return self._patience.seconds if self.is_member else max(self._patience.seconds, START_S)

    def _left_s(self) -> float:
        return self._heard_s + self._patience_s() - time.monotonic()

    def _listen(self, line: Line, *, is_awaited: bool) -> None:
        """Take a message; how long it took is known where it was awaited, not where another shard was meanwhile."""
        try:
            said = line.receive()
        except (EOFError, OSError) as error:
            self._lose(repr(error))
            return
        now_s = time.monotonic()
        if is_awaited and self.is_member:
            self._patience.note(now_s - self._heard_s)
        self._heard_s = now_s
        match said:
            case Failed(reason):
                self._lose(reason)
            case Busy():
                pass
            case _:
                self._answer = said

    def _lose(self, reason: str) -> None:
        _log.error("shard %d is lost: %s", self.number, reason)
        if self._is_doubtful:
            self._restarts.failed(reason)
        self._is_doubtful = True
        self.end()
