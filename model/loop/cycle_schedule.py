"""When the next cycle begins: as soon as the collector has completed a poll, and in its silence once per interval."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Final

__all__ = ["CycleSchedule"]

_WARM_UP_S: Final = 2.0
"""Pause between cycles until one has published forecasts."""

_MAX_GRACE_S: Final = 5.0
_GRACE_SHARE: Final = 0.2
"""Part of the interval by which a poll may be late before a cycle begins without it."""


class CycleSchedule:
    """Lets cycles follow the polls, whatever process was restarted when; on average one per interval.

    Each cycle uses up one interval of time. A cycle that follows a poll may borrow one interval in advance, so that it
    begins at once also where the last cycle began between two polls. A cycle without a poll borrows nothing. In any
    span there are therefore at most two cycles more than intervals. Only the given clock counts, so jumps of the wall
    clock change nothing.
    """

    def __init__(self, interval_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._interval_s = interval_s
        self._grace_s = min(_MAX_GRACE_S, _GRACE_SHARE * interval_s)
        self._clock = clock
        self._began_s = self._used_until_s = clock()
        self._polled_s = -math.inf
        self._seen: str | None = None
        self._followed: str | None = None
        self._is_warm = False

    def begin(self, poll: str | None) -> None:
        """Note that a cycle begins, with the newest complete poll."""
        self._note(poll)
        self._followed = poll
        self._began_s = self._clock()

    def end(self, *, complete: bool) -> None:
        """Note that the cycle has ended, and whether it has published forecasts."""
        self._is_warm = complete
        if complete:
            self._used_until_s = max(self._used_until_s, self._began_s - self._grace_s) + self._interval_s

    def wait_s(self, poll: str | None) -> float:
        """Seconds until the next cycle begins if no further poll completes; 0 or less where it is due.

        Args:
            poll: the newest complete poll, None before the first.
        """
        self._note(poll)
        if not self._is_warm:
            due_s = self._began_s + min(_WARM_UP_S, self._interval_s)
        elif poll != self._followed:
            due_s = self._used_until_s - self._interval_s
        else:
            due_s = max(self._used_until_s, self._polled_s + self._interval_s + self._grace_s)
        return due_s - self._clock()

    def _note(self, poll: str | None) -> None:
        if poll != self._seen:
            self._seen, self._polled_s = poll, self._clock()
