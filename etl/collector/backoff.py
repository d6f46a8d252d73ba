"""How long to wait after a failure, and how much slower to poll while the source throttles."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final, NamedTuple

from core.errors import Banned, ForecastingError, RateLimited
from core.wording import Message, message

__all__ = ["BAN_S", "ConfigurationRefusals", "Slowdown", "Wait", "wait_after"]

BAN_S: Final = 600.0
_MAX_ORDERED_WAIT_S: Final = 3600.0
_FIRST_BACKOFF_S: Final = 2.0
_MAX_FACTOR: Final = 4
_CALM_POLLS: Final = 4


class Wait(NamedTuple):
    """How long to keep silent, and whether everybody must or only the one whose call failed."""

    seconds: float
    for_all: bool
    reason: Message


def wait_after(error: ForecastingError, failures: int, cap_s: float, jitter: random.Random) -> Wait:
    """What the source asked for, to the second; else a jittered back-off of at most `cap_s`.

    `failures` counts the calls that failed in a row, this one included. A ban lasts ten minutes, then one call probes.
    """
    if isinstance(error, Banned):
        return Wait(BAN_S, for_all=True, reason=message("source.banned"))
    backoff_s = jitter.uniform(0.5, 1.0) * min(cap_s, _FIRST_BACKOFF_S * 2.0 ** min(failures, 20))
    if isinstance(error, RateLimited):
        asked_s = backoff_s if error.retry_after_s is None else min(error.retry_after_s, _MAX_ORDERED_WAIT_S)
        return Wait(asked_s, for_all=True, reason=message("source.rate_limited"))
    return Wait(backoff_s, for_all=False, reason=message("source.failed"))


@dataclass(slots=True)
class Slowdown:
    """Makes polls up to four times slower while the source refuses them with 429.

    A 429 that comes within four polls of the last one makes them a step slower, four polls that go well a step faster.
    A single 429 costs the wait it orders, no more.
    """

    factor: int = 1
    _calm: int = _CALM_POLLS

    def throttled(self) -> None:
        """The source said that it was asked too often, although the budget was kept."""
        if self._calm < _CALM_POLLS:
            self.factor = min(self.factor + 1, _MAX_FACTOR)
        self._calm = 0

    def went_well(self) -> None:
        """A poll was answered."""
        self._calm += 1
        if self._calm >= _CALM_POLLS and self.factor > 1:
            self.factor, self._calm = self.factor - 1, 0


@dataclass(slots=True)
class ConfigurationRefusals:
    """Decides whether to believe that key, plan or currency are wrong.

    The source must say so twice before it has answered anything, or for ten minutes without an exception afterwards:
    a single refusal may be a mistake of its edge servers.
    """

    _accepted: bool = False
    _count: int = 0
    _since: float = 0.0

    def answered(self) -> None:
        """The source gave what was asked."""
        self._accepted, self._count = True, 0

    def failed_otherwise(self) -> None:
        """The source failed in another way."""
        self._count = 0

    def refused(self, now: float) -> bool:
        """The source refuses key, plan or currency at `now` (monotonic seconds); True when that is final."""
        if self._count == 0:
            self._since = now
        self._count += 1
        return self._count > 1 and (not self._accepted or now - self._since >= BAN_S)
