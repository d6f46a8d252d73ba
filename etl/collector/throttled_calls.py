"""Makes the calls of polls and back-fill within their shared budget, and sets the wait after a failed call."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final, TypeVar

from core.errors import ConfigurationError, RateLimited, SourceError
from core.settings import Settings
from etl.collector.backoff import ConfigurationRefusals, Slowdown, wait_after
from etl.collector.call_budget import CallBudget, Clock, limits_of
from etl.collector.write_buffer import WriteBuffer

__all__ = ["ThrottledCalls"]

_BUDGET: Final = "budget"

_T = TypeVar("_T")


class ThrottledCalls:
    """Counts, makes and slows down calls; stores the state of the budget before each call, for a restart."""

    def __init__(self, settings: Settings, buffer: WriteBuffer, clock: Clock, jitter: random.Random) -> None:
        self.budget = CallBudget(limits_of(settings), clock)
        self.clock = clock
        self._interval_s = settings.interval
        self._buffer = buffer
        self._jitter = jitter
        self.slowdown = Slowdown()
        self._refusals = ConfigurationRefusals()

    def load_state(self, text: str) -> None:
        """Restore the budget of the last run; raises what invalid JSON raises."""
        self.budget.load_state(text)

    def trust_key(self) -> None:
        """Note that the source accepted key, plan and currency in an earlier run."""
        self._refusals.answered()

    def now(self) -> float:
        """Monotonic seconds."""
        return self.clock.monotonic()

    def cadence_s(self, pages: int, *, background: bool) -> float:
        """Seconds between polls: the interval, or longer where budget or throttling demand it."""
        return self.budget.cadence_s(self._interval_s, max(pages, 1), background=background) * self.slowdown.factor

    def background_delay_s(self, poll_in_s: float, pages: int) -> float:
        """Seconds until a back-fill call may start without taking a call from the polls, the next in `poll_in_s`."""
        return self.budget.background_delay_s(poll_in_s, self._interval_s, pages)

    def call(self, ask: Callable[[], _T]) -> _T:
        """Make one call; failed calls count too."""
        self.budget.start()
        self._store_budget()
        try:
            value = ask()
        finally:
            self.budget.finish()
        self._refusals.answered()
        return value

    def wait_after(self, error: SourceError | ConfigurationError, failures: int, cap_s: float) -> float:
        """Seconds until the part that made the failed call may try again; rate limits and bans block all calls.

        Raises:
            ConfigurationError: the source insists that key, plan or currency are wrong, and never accepted them.
        """
        pause_s = 0.0
        if isinstance(error, ConfigurationError):
            if self._refusals.refused(self.now()):
                raise error
            pause_s = self._refusals.pause_s()
        else:
            self._refusals.failed_otherwise()
        if isinstance(error, RateLimited):
            self.slowdown.throttled()
        wait = wait_after(error, failures, cap_s, self._jitter)
        if wait.for_all:
            self.budget.block(wait.seconds, wait.reason)
            self._store_budget()
        return max(wait.seconds, pause_s)

    def _store_budget(self) -> None:
        if self.budget.limits.calls is not None:
            self._buffer.set_meta(**{_BUDGET: self.budget.dump_state()})
            self._buffer.flush()
