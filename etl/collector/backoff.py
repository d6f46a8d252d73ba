"""How long to wait after a failure, and how much slower to poll while the source throttles."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final, NamedTuple

from core.errors import Banned, ForecastingError, RateLimited
from core.wording import Message, message

__all__ = ["BAN_S", "ConfigurationRefusals", "Slowdown", "Wait", "wait_after"]

BAN_S: Final = 600.0
_LONGEST_WAIT_S: Final = 3600.0
"""Neither an order to wait nor refusals silence the collector for longer."""

_FIRST_BACKOFF_S: Final = 2.0
_MAX_FACTOR: Final = 4
_CALM_POLLS: Final = 4


class Wait(NamedTuple):
    """How long to make no call: all of them (`for_all`), or only those of the part whose call failed."""

    seconds: float
    for_all: bool
    reason: Message


def wait_after(error: ForecastingError, failures: int, cap_s: float, jitter: random.Random) -> Wait:
    """Wait after a failed call: as long as the source orders, else an exponential back-off with jitter.

    Args:
        error: why the call failed; after a ban the wait is ten minutes, then one call probes.
        failures: failed calls in a row, this one included.
        cap_s: longest back-off in seconds.
        jitter: random numbers that spread the back-off over half its length.
    """
    if isinstance(error, Banned):
        return Wait(BAN_S, for_all=True, reason=message("source.banned"))
    backoff_s = jitter.uniform(0.5, 1.0) * min(cap_s, _FIRST_BACKOFF_S * 2.0 ** min(failures, 20))
    if isinstance(error, RateLimited):
        asked_s = backoff_s if error.retry_after_s is None else min(error.retry_after_s, _LONGEST_WAIT_S)
        return Wait(asked_s, for_all=True, reason=message("source.rate_limited"))
    return Wait(backoff_s, for_all=False, reason=message("source.failed"))


@dataclass(slots=True)
class Slowdown:
    """Multiplies the poll interval by `factor`, 1 to 4.

    The factor grows by 1 when a 429 comes within four polls of the last one, and shrinks by 1 after four good polls. A
    single 429 only costs the wait that it orders.
    """

    factor: int = 1
    _calm: int = _CALM_POLLS

    def throttled(self) -> None:
        """The source answered 429 although the budget was kept."""
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
    """Decides when a refused key, plan or currency is final, and how rarely to ask while it is not.

    It is final after two refusals if no call ever succeeded: a single one may be a fault of the network edge in front
    of CoinGecko. What was once accepted is never final, because a person may be months away and CoinGecko may be wrong.
    """

    _accepted: bool = False
    _last: float | None = None
    _lasted_s: float = 0.0

    def answered(self) -> None:
        """A call succeeded."""
        self._accepted, self._last, self._lasted_s = True, None, 0.0

    def failed_otherwise(self) -> None:
        """A call failed for another reason, which tells nothing about key, plan and currency."""
        self._last = None

    def refused(self, now: float) -> bool:
        """Note a refusal at `now` (monotonic seconds); True when it is final."""
        before, self._last = self._last, now
        if before is None:
            return False
        self._lasted_s += now - before
        return not self._accepted

    def pause_s(self) -> float:
        """Least seconds until the next call: after ten minutes of refusals alone as long as they have lasted."""
        return 0.0 if self._lasted_s < BAN_S else min(self._lasted_s, _LONGEST_WAIT_S)
