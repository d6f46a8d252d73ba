"""How long the loop waits before it learns again from the stored prices, when that keeps failing."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from core.wording import Message

__all__ = ["RestartBackoff"]

_MAX_PAUSE_S: Final = 3_600.0
"""An error that repeats costs one try an hour; a repaired cause is noticed within that time."""

_MOST_DOUBLINGS: Final = 16
"""Of any first pause they make more than the longest one."""


class RestartBackoff:
    """Exponential back-off: the pause doubles with each failure in a row; a success ends it.

    `reason` is the last failure's, None when there is none to wait for.
    """

    def __init__(self, first_pause_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.reason: Message | str | None = None
        self._first_pause_s = first_pause_s
        self._clock = clock
        self._failures = 0
        self._resume_s = 0.0

    def is_waiting(self) -> bool:
        """Whether the pause after the last failure is still running."""
        return self.reason is not None and self._clock() < self._resume_s

    def failed(self, reason: Message | str) -> None:
        """Begin a pause, twice as long as the one before."""
        self.reason = reason
        self._resume_s = self._clock() + min(
            self._first_pause_s * 2.0 ** min(self._failures, _MOST_DOUBLINGS), _MAX_PAUSE_S
        )
        self._failures += 1

    def succeeded(self) -> None:
        """Forget all failures."""
        self.reason = None
        self._failures = 0
