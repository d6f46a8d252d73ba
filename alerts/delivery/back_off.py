"""When to try again: exponential back-off with jitter, for a day."""

from __future__ import annotations

from typing import Final

from core.times import DAY_MS

__all__ = ["GIVE_UP_AFTER_MS", "pause_s"]

GIVE_UP_AFTER_MS: Final = DAY_MS
"""An attempt that fails so long after the first one is the last."""

_FIRST_S: Final = 5.0
_GROWTH: Final = 3.0
_MAX_S: Final = 900.0
_MAX_FAILURES: Final = 12
_MAX_ASKED_S: Final = GIVE_UP_AFTER_MS / 1000
_JITTER: Final = 0.5


def pause_s(failures: int, share: float, retry_after_s: float | None = None) -> float:
    """Seconds to wait after so many failures in a row: 5, 15, 45 … up to 15 minutes, up to half more or less.

    Args:
        failures: failures in a row, at least one.
        share: a random number from [0, 1), which spreads the attempts of many.
        retry_after_s: what the receiver asked for; the pause is not shorter, unless that is more than a day.
    """
    plain = min(_FIRST_S * _GROWTH ** min(failures - 1, _MAX_FAILURES), _MAX_S)
    spread = plain * (1 - _JITTER + 2 * _JITTER * share)
    return max(spread, min(retry_after_s or 0.0, _MAX_ASKED_S))
