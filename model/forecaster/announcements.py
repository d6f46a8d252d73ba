"""American announcements known in advance, and how much wider the prices of the next hour spread when one comes.

Features know the clock, not the day: an hour with new consumer prices in it looks to them like the same hour of any
other day. When figures come out or the Federal Reserve decides, prices jump within minutes and stay agitated for about
an hour. Both are told in variances of five ordinary minutes, which the variance of a horizon gains once it reaches past
the announcement. After the announcement prices show its effect themselves, so nothing is added.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

import numpy as np

from core.forecast_schema import HORIZONS_MIN
from core.times import HOUR_MS, MINUTE_MS
from etl.arrays import FloatArray, IntArray
from etl.features.new_york_clock import new_york_ms
from etl.features.targets import STEP_ROOTS, STEPS

__all__ = ["ANNOUNCEMENTS", "LAST_DAYS", "Announcement", "read_announcements", "widening"]

_CALENDAR: Final = Path(__file__).with_name("us_announcements.toml")
_JUMP_MIN: Final = 5
_HOUR_MIN: Final = 60
_HORIZONS_MS: Final[IntArray] = MINUTE_MS * np.array(HORIZONS_MIN)


@dataclass(frozen=True)
class Announcement:
    """One kind of announcement.

    Attributes:
        name: its key in the calendar.
        ts_ms: when it comes (n,), in UTC milliseconds, in order.
        jump: extra variance of the first five minutes, in variances of five ordinary minutes.
        rest: extra variance of the other 55 minutes.
    """

    name: str
    ts_ms: IntArray
    jump: float
    rest: float

    def extra_variance(self, elapsed_min: FloatArray) -> FloatArray:
        """Extra variance up to so many minutes after it; 0 before."""
        first = np.clip(elapsed_min / _JUMP_MIN, 0.0, 1.0)
        later = np.clip((elapsed_min - _JUMP_MIN) / (_HOUR_MIN - _JUMP_MIN), 0.0, 1.0)
        return np.asarray(self.jump * first + self.rest * later)


def read_announcements(path: Path = _CALENDAR) -> tuple[Announcement, ...]:
    """The kinds of announcements in a calendar, whose days and times are New York's."""
    calendar = tomllib.loads(path.read_text(encoding="utf-8"))
    kinds = []
    for name, kind in calendar.items():
        days = calendar[kind.get("days_of", name)]["days"]
        local = [datetime.combine(day, kind["time"], UTC).timestamp() for day in sorted(days)]
        kinds.append(Announcement(name, _utc_ms(np.array(local) * 1000), kind["jump"], kind["rest"]))
    return tuple(kinds)


def _utc_ms(new_york: FloatArray) -> IntArray:
    """UTC times at which New York's wall clock shows `new_york`."""
    in_summer = new_york.astype(np.int64) + 4 * HOUR_MS
    return np.asarray(in_summer + (new_york.astype(np.int64) - new_york_ms(in_summer)))


def _last_days() -> dict[str, date]:
    calendar = tomllib.loads(_CALENDAR.read_text(encoding="utf-8"))
    return {name: max(kind["days"]) for name, kind in calendar.items() if "days" in kind}


ANNOUNCEMENTS: Final = read_announcements()
LAST_DAYS: Final[Mapping[str, date]] = _last_days()
"""The last day of each list of the calendar, in New York; nothing is widened after it."""


def widening(ts_ms: IntArray, announcements: Sequence[Announcement] = ANNOUNCEMENTS) -> FloatArray:
    """Factor of the scales predicted at times (...), shape (..., STEPS): 1 where no announcement comes within them."""
    extra = np.zeros((*ts_ms.shape, STEPS))
    for kind in announcements:
        place = np.searchsorted(kind.ts_ms, ts_ms)
        coming = kind.ts_ms[np.minimum(place, len(kind.ts_ms) - 1)]
        elapsed_min = (_HORIZONS_MS - (coming - ts_ms)[..., None]) / MINUTE_MS
        extra += np.where((place < len(kind.ts_ms))[..., None], kind.extra_variance(elapsed_min), 0.0)
    return np.asarray(np.sqrt(1.0 + extra / STEP_ROOTS**2))
