"""The call budget that polls and back-fill share: calls per minute and month, and waits that the source ordered.

This module does no I/O; the time comes from an injected clock. Limits run on the monotonic clock, so that a change of
the wall clock neither frees nor blocks calls, but for those made in a wrong month: they count for that one.
The state for a restart is in wall-clock time and bounded when read back.
"""

from __future__ import annotations

import json
import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from core.settings import Plan, Settings
from core.times import month, now_ms, to_datetime
from core.wording import Message

__all__ = ["SYSTEM_CLOCK", "CallBudget", "Clock", "Limits", "limits_of"]

_MINUTE_S: Final = 60.0
_PER_MINUTE: Final[dict[Plan, float | None]] = {
    Plan.KEYLESS: 5,
    Plan.DEMO_KEY: 30,
    Plan.PRO_KEY: 200,
    Plan.LOCAL: None,
}
_DEMO_KEY_PER_MONTH: Final = 10_000
_DEMO_KEY_CADENCE_S: Final = 300.0
_MONTH_MARGIN: Final = 0.95
_MONTHS_KEPT: Final = 3
"""How many months have a count, so that a clock that was wrong for a time comes back to that of the right month."""
_MAX_BLOCK_S: Final = 3600.0
_POLL_SLACK_S: Final = 2.0
"""How late back-fill may make a poll: about as long as one call takes, because calls count from their end."""


class Clock(NamedTuple):
    """Two clocks: monotonic seconds, and UTC milliseconds of the wall clock, which may jump."""

    monotonic: Callable[[], float]
    wall_ms: Callable[[], int]


SYSTEM_CLOCK: Final = Clock(time.monotonic, now_ms)


@dataclass(frozen=True)
class Limits:
    """At most `calls` in any `window_s` seconds (None: no limit), and at most `per_month` in a calendar month."""

    calls: int | None = None
    window_s: float = _MINUTE_S
    per_month: int | None = None
    min_cadence_s: float = 0.0


def limits_of(settings: Settings) -> Limits:
    """The limits of the plan; CRYPTO_CALLS_PER_MINUTE replaces the plan's own calls per minute.

    A fractional limit keeps its rate over another window: 2.5 calls a minute become 2 in 48 s.
    """
    per_minute = settings.calls_per_minute or _PER_MINUTE[settings.coingecko_plan]
    calls = None if per_minute is None else max(1, math.floor(per_minute))
    window_s = _MINUTE_S if per_minute is None or calls is None else _MINUTE_S * calls / per_minute
    if settings.coingecko_plan is Plan.DEMO_KEY:
        return Limits(calls, window_s, _DEMO_KEY_PER_MONTH, _DEMO_KEY_CADENCE_S)
    return Limits(calls, window_s)


@dataclass(slots=True)
class _Block:
    """End (monotonic seconds), length and reason of a time without calls."""

    until: float = -math.inf
    seconds: float = 0.0
    reason: Message | None = None


@dataclass(slots=True)
class CallBudget:
    """Counts every call, also failed ones, and tells how long to wait before the next.

    A call counts from its end, when the server has certainly seen it; so no window of the server's own clock holds more
    than `limits.calls`.
    """

    limits: Limits
    clock: Clock = SYSTEM_CLOCK
    _calls: deque[float] = field(default_factory=deque)
    _by_month: dict[str, int] = field(default_factory=dict)
    _block: _Block = field(default_factory=_Block)

    def start(self) -> None:
        """Count a call that starts now."""
        current = month(self.clock.wall_ms())
        self._by_month[current] = self._by_month.pop(current, 0) + 1
        self._by_month = dict(list(self._by_month.items())[-_MONTHS_KEPT:])
        self._calls.append(self.clock.monotonic())

    def finish(self) -> None:
        """Note the end of the call that started last."""
        self._calls[-1] = self.clock.monotonic()

    def block(self, seconds: float, reason: Message | None) -> None:
        """Allow no call for `seconds`, or longer if an earlier block lasts longer."""
        until = self.clock.monotonic() + seconds
        if until > self._block.until:
            self._block = _Block(until, seconds, reason)

    @property
    def blocked_for_s(self) -> float:
        """Seconds for which the source forbids calls; 0 if it does not."""
        return max(0.0, self._block.until - self.clock.monotonic())

    @property
    def block_reason(self) -> Message | None:
        """Reason of the current or last block."""
        return self._block.reason

    def delay_s(self) -> float:
        """Seconds until the next call may start."""
        delay = max(self.blocked_for_s, self._month_delay_s())
        calls = self._recent()
        if self.limits.calls is not None and len(calls) >= self.limits.calls:
            free_at = calls[-self.limits.calls] + self.limits.window_s
            delay = max(delay, free_at - self.clock.monotonic())
        return delay

    def background_delay_s(self, poll_in_s: float, interval_s: float, pages: int) -> float:
        """Seconds until a back-fill call may start without delaying a poll; infinite if the month has none to spare.

        Polls take `pages` calls, the next in `poll_in_s` seconds and then at the cadence of `interval_s`. A back-fill
        call may start if each poll within the window can still make its calls, and if what is left of the month lets
        polls keep `interval_s`, or a pace of one page per least cadence.
        """
        if self._month_floor_s(pages) > max(interval_s, self.limits.min_cadence_s * pages):
            return math.inf
        delay, limit = self.delay_s(), self.limits.calls
        if delay > 0 or limit is None:
            return delay
        now, cadence_s = self.clock.monotonic(), self.cadence_s(interval_s, pages, background=True)
        planned = [*self._recent(), now]
        poll_at = now + max(poll_in_s, 0.0)
        while poll_at < now + self.limits.window_s:
            in_window = [at for at in planned if at > poll_at - self.limits.window_s + _POLL_SLACK_S]
            if len(in_window) + pages > limit:
                return max(in_window[0] + self.limits.window_s - poll_at, _POLL_SLACK_S)
            planned.extend([poll_at] * pages)
            poll_at += cadence_s
        return 0.0

    def cadence_s(self, interval_s: float, pages: int, *, background: bool) -> float:
        """Shortest seconds between polls of `pages` calls within the budget.

        With `background`, one call per window is kept for back-fill.
        """
        cadence_s = max(interval_s, self.limits.min_cadence_s, self._month_floor_s(pages))
        if self.limits.calls is not None:
            for_polls = self.limits.calls - 1 if background and self.limits.calls > 1 else self.limits.calls
            cadence_s = max(cadence_s, self.limits.window_s * pages / for_polls)
        return cadence_s

    @property
    def calls_minute(self) -> int:
        """Calls of the last minute (of the last window, where the limit has another one)."""
        return len(self._recent())

    @property
    def calls_month(self) -> int:
        """Calls of this calendar month."""
        return self._by_month.get(month(self.clock.wall_ms()), 0)

    def dump_state(self) -> str:
        """State for a restart, as JSON."""
        now, wall = self.clock.monotonic(), self.clock.wall_ms()
        return json.dumps(
            {
                "calls": self._by_month,
                "recent_ms": [wall - round((now - at) * 1000) for at in self._recent()],
                "blocked_until_ms": wall + round(self.blocked_for_s * 1000),
                "blocked_s": self._block.seconds,
                "reason": self._block.reason.code if self._block.reason else "",
            }
        )

    def load_state(self, text: str) -> None:
        """Restore what `dump_state` wrote; what was counted here since stays. Invalid text raises and changes nothing.

        If the wall clock was changed since, the error is at most the window or the block that was in force. Older
        releases wrote the calls of one `month`.
        """
        known: dict[str, Any] = json.loads(text)
        now, wall = self.clock.monotonic(), self.clock.wall_ms()
        ages_s = [min(max((wall - int(ts_ms)) / 1000, 0.0), self.limits.window_s) for ts_ms in known["recent_ms"]]
        left_s = min((int(known["blocked_until_ms"]) - wall) / 1000, float(known["blocked_s"]), _MAX_BLOCK_S)
        calls, reason = known["calls"], str(known["reason"])
        by_month = calls if isinstance(calls, dict) else {known["month"]: calls}
        stored = {str(name): int(count) for name, count in by_month.items()}
        own = self._by_month
        self._by_month = own | {name: max(count, own.get(name, 0)) for name, count in stored.items()}
        if len(ages_s) > len(self._recent()):
            self._calls = deque(now - age_s for age_s in sorted(ages_s, reverse=True))
        if left_s > 0:
            self.block(left_s, Message(reason) if reason else None)

    def _recent(self) -> list[float]:
        oldest = self.clock.monotonic() - self.limits.window_s
        while self._calls and self._calls[0] <= oldest:
            self._calls.popleft()
        return list(self._calls)

    def _month_delay_s(self) -> float:
        if self.limits.per_month is None or self.calls_month < self.limits.per_month:
            return 0.0
        return self._month_left_s()

    def _month_floor_s(self, pages: int) -> float:
        """Seconds between polls at which the month's remaining calls last until its end."""
        if self.limits.per_month is None:
            return 0.0
        left = max(1.0, (self.limits.per_month - self.calls_month) * _MONTH_MARGIN)
        return self._month_left_s() * pages / left

    def _month_left_s(self) -> float:
        now = to_datetime(self.clock.wall_ms())
        year, number = divmod(now.year * 12 + now.month, 12)
        start = now.replace(year=year, month=number + 1, day=1, hour=0, minute=0, second=0, microsecond=0)
        return (start - now).total_seconds()
