"""A seeded plan of what happens to a simulated machine: faults, restarts, clock jumps, damage and full disks."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from core.times import DAY_MS, HOUR_MS, MINUTE_MS
from tests.support.faults import STORM_KINDS, Fault

__all__ = ["DAMAGED", "Damage", "DiskFull", "Event", "Jump", "Plan", "Restart", "Sleep", "make_plan"]

DAMAGED: Final = ("latest", "log", "features", "scaled_hours", "manifest.json", "model", "model.json")
"""What is overwritten: a table's newest closed part or entry, the manifest, the newest model, its card."""

_FIRST_MS: Final = 2 * HOUR_MS
_CALM_MS: Final = 3 * HOUR_MS
"""No fault comes at the beginning or in the last hours."""

_QUIET_MS: Final = 20 * MINUTE_MS
"""No restart comes sooner after the disk was full: until then prices wait in memory."""

_WAITS: Final = (
    Fault("rate_limit", times=2),
    Fault("rate_limit", times=1, retry_after_s=30),
    Fault("rate_limit", times=1, retry_after_s=600),
    Fault("rate_limit", times=1, reset_after_s=45),
    Fault("server_error", times=3, status=500),
    Fault("server_error", times=1, status=502),
    Fault("server_error", times=6, status=504),
)
_TIMEOUT: Final = Fault("slow_body", times=1, delay_s=11.0)
"""Longer than the collector waits for the next byte; ten real seconds each."""

_LONGEST_FULL_MS: Final = 40 * MINUTE_MS

_OF_CHARTS: Final = ("holes", "empty_arrays")
"""Faults that leave a page of prices as it is."""


@dataclass(frozen=True)
class Restart:
    """The process ends, by SIGKILL or in order, and starts again after `away_s` seconds."""

    kill: bool
    away_s: float


@dataclass(frozen=True)
class Jump:
    """From now on the machine's clock shows a time that is `ahead_s` off."""

    ahead_s: int


@dataclass(frozen=True)
class Damage:
    """A file is overwritten with garbage; `what` is one of DAMAGED."""

    what: str


@dataclass(frozen=True)
class DiskFull:
    """The disk is full, or free again."""

    is_full: bool


@dataclass(frozen=True)
class Sleep:
    """The machine is suspended for so long."""

    seconds: float


Event = Restart | Jump | Damage | DiskFull | Sleep


@dataclass(frozen=True)
class Plan:
    """Times are UTC milliseconds, in order. `last_restart_ms`: from here on the process lives to the end."""

    start_ms: int
    end_ms: int
    answers: tuple[tuple[int, Fault], ...]
    events: tuple[tuple[int, Event], ...]

    @property
    def last_restart_ms(self) -> int:
        """When the process is started for the last time."""
        return max((at_ms for at_ms, event in self.events if isinstance(event, Restart)), default=self.start_ms)


def make_plan(start_ms: int, days: float, faults: int, restarts: int, *, awake_h: float = 24.0, seed: int = 0) -> Plan:
    """A plan of at least `faults` faults; restarts fall into the first half, so that memory shows in the second.

    Args:
        start_ms: its first moment, in UTC milliseconds.
        days: how long it is.
        faults: spoiled answers, clock jumps, damaged files and full disks together.
        restarts: most of them kills.
        awake_h: hours of each day after which the machine sleeps until the next one begins.
        seed: of everything.
    """
    awake_ms = round(awake_h * HOUR_MS)
    plan = _waking_plan(start_ms, round(days * awake_ms), faults, restarts, random.Random(seed))
    if awake_ms >= DAY_MS:
        return plan

    def on_calendar(at_ms: int) -> int:
        day, within = divmod(at_ms - start_ms, awake_ms)
        return start_ms + day * DAY_MS + within

    nights = [
        (start_ms + day * DAY_MS + awake_ms, Sleep((DAY_MS - awake_ms) / 1000)) for day in range(math.ceil(days) - 1)
    ]
    events = [*((on_calendar(at_ms), event) for at_ms, event in plan.events), *nights]
    answers = tuple((on_calendar(at_ms), fault) for at_ms, fault in plan.answers)
    return Plan(start_ms, on_calendar(plan.end_ms - 1), answers, tuple(sorted(events, key=lambda one: one[0])))


def _waking_plan(start_ms: int, length_ms: int, faults: int, restarts: int, dice: random.Random) -> Plan:
    """A plan of a machine that never sleeps."""
    end_ms = start_ms + length_ms
    window = (start_ms + _FIRST_MS, end_ms - _CALM_MS)
    jumps, damages, fills = max(1, faults // 50), max(2, faults // 20), max(1, faults // 100)
    full = _spread(dice, *window, fills)
    events: list[tuple[int, Event]] = []
    for at_ms in full:
        events += [(at_ms, DiskFull(True)), (at_ms + dice.randint(5 * MINUTE_MS, _LONGEST_FULL_MS), DiskFull(False))]
    for at_ms in _spread(dice, *window, jumps):
        events += [(at_ms, Jump(dice.choice((-3600, 3600, -900)))), (at_ms + dice.randint(20, 90) * MINUTE_MS, Jump(0))]
    events += [
        (_clear(at_ms, full), Damage(DAMAGED[number % len(DAMAGED)]))
        for number, at_ms in enumerate(_spread(dice, *window, damages))
    ]
    middle_ms = start_ms + (end_ms - start_ms) // 2
    events += [
        (_clear(at_ms, full), Restart(kill=number % 4 != 3, away_s=_away_s(dice, number)))
        for number, at_ms in enumerate(_spread(dice, window[0], middle_ms, restarts))
    ]
    answers = zip(_spread(dice, *window, faults - jumps - damages - fills), _answers(), strict=False)
    return Plan(start_ms, end_ms, tuple(answers), tuple(sorted(events, key=lambda one: one[0])))


def _spread(dice: random.Random, first_ms: int, last_ms: int, count: int) -> list[int]:
    """Times, one at random within each of `count` equal spans."""
    span = (last_ms - first_ms) / max(count, 1)
    return [round(first_ms + (number + dice.random()) * span) for number in range(count)]


def _clear(at_ms: int, full: list[int]) -> int:
    """A time that is not near a full disk: `at_ms`, or later."""
    for full_ms in full:
        if full_ms - MINUTE_MS <= at_ms < full_ms + _LONGEST_FULL_MS + _QUIET_MS:
            return full_ms + _LONGEST_FULL_MS + _QUIET_MS
    return at_ms


def _away_s(dice: random.Random, number: int) -> float:
    """Mostly seconds; every twelfth time hours, whose prices are filled in afterwards."""
    return dice.uniform(3600, 5 * 3600) if number % 12 == 11 else dice.uniform(1, 200)


def _answers() -> Iterator[Fault]:
    """Every kind of fault in turn, without end."""
    turn = 0
    while True:
        turn += 1
        yield _TIMEOUT if turn % 4 == 0 else _WAITS[turn % len(_WAITS)]
        for kind in STORM_KINDS:
            times = 1 if kind == "spike" else 1 + turn % 3
            yield Fault(kind, times=times, delay_s=0.1, path="market_chart" if kind in _OF_CHARTS else "")
