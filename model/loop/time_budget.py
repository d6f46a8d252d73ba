"""Which steps still fit into a cycle, judged by how long they took last time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

__all__ = ["TimeBudget"]

_SHARE: Final = 0.8
"""Part of the interval that the steps of a cycle may fill."""

_MAX_DEFERRALS: Final = 9
"""A step that never fits is deferred at most this many times in a row: a slow machine still trains."""


class TimeBudget:
    """Shortens a cycle that would overrun: steps that can wait are deferred while their last duration does not fit.

    Attributes:
        last_duration_s: the last duration of every step.
        seconds: durations of the steps of the current cycle.
        deferred: how often in a row each waiting step has been left out.
    """

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._started = time.monotonic()
        self.last_duration_s: dict[str, float] = {}
        self.seconds: dict[str, float] = {}
        self.deferred: dict[str, int] = {}

    def begin(self) -> None:
        """Start a new cycle."""
        self._started = time.monotonic()
        self.seconds = {}

    @property
    def elapsed_s(self) -> float:
        """Seconds since the cycle began."""
        return time.monotonic() - self._started

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Measure one step."""
        started = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = self.last_duration_s[name] = time.monotonic() - started
            self.deferred.pop(name, None)

    def has_time_for(self, name: str, *still_to_come: str) -> bool:
        """Whether a step fits into the cycle beside those that must still come, if each takes as long as last time.

        A False counts as a deferral of `name`.
        """
        needed_s = sum(self.last_duration_s.get(step, 0.0) for step in (name, *still_to_come))
        fits = self.elapsed_s + needed_s <= _SHARE * self._interval_s
        if fits or self.deferred.get(name, 0) >= _MAX_DEFERRALS:
            return True
        self.deferred[name] = self.deferred.get(name, 0) + 1
        return False
