"""How long the steps of a cycle take, and which of them still fit into it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

__all__ = ["CycleClock"]

_SHARE: Final = 0.8
"""A cycle plans to use this much of its interval."""

_MAX_PUT_OFF: Final = 9
"""A step that never fits is put off at most this many times in a row: a slow machine still trains."""


class CycleClock:
    """Shortens a cycle that would overrun: steps that can wait are put off while their last duration does not fit.

    `seconds` holds the durations of the steps of the cycle under way, `usual` the last one of every step; `put_off`
    counts how often in a row each waiting step has been left out.
    """

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._started = time.monotonic()
        self.usual: dict[str, float] = {}
        self.seconds: dict[str, float] = {}
        self.put_off: dict[str, int] = {}

    def begin(self) -> None:
        """A new cycle starts now."""
        self._started = time.monotonic()
        self.seconds = {}

    @property
    def elapsed_s(self) -> float:
        """Seconds since the cycle began."""
        return time.monotonic() - self._started

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time one step."""
        started = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = self.usual[name] = time.monotonic() - started
            self.put_off.pop(name, None)

    def fits(self, name: str, *before: str) -> bool:
        """Whether the step `name`, and `before` the end those that must still come, fit as long as they took last."""
        needed = sum(self.usual.get(step, 0.0) for step in (name, *before))
        if self.elapsed_s + needed <= _SHARE * self._interval_s or self.put_off.get(name, 0) >= _MAX_PUT_OFF:
            return True
        self.put_off[name] = self.put_off.get(name, 0) + 1
        return False
