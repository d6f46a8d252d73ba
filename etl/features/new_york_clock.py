"""New York time, daylight saving included: when American markets, data and the Federal Reserve move prices.

Daylight saving lasts from the second Sunday of March, 2:00, to the first Sunday of November, 2:00 (Energy Policy Act of
2005, in force since 2007).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np

from core.times import DAY_MS, HOUR_MS
from etl.arrays import FloatArray, IntArray

__all__ = ["NEW_YORK_FEATURES", "SATURDAY", "new_york_columns", "new_york_ms", "weekdays"]

NEW_YORK_FEATURES: Final[tuple[str, ...]] = (
    *(f"{kind}_{wave}_{n}" for kind in ("new_york_day", "new_york_weekday") for n in (1, 2) for wave in ("sin", "cos")),
    "new_york_day_sin_3",
    "new_york_day_cos_3",
    "american_data",
    "stock_opening",
    "federal_reserve",
    "stock_closing",
    "sunday_evening",
    "friday_evening",
)

_FIRST_WEEKDAY: Final = 3
"""1 January 1970 was a Thursday; Monday is 0."""

SATURDAY: Final = 5
_FRIDAY, _SUNDAY = SATURDAY - 1, SATURDAY + 1
_WINDOWS: Final = ((8.5, 9.5), (9.0, 10.5), (13.5, 15.0), (15.0, 16.2))
_YEARS: Final = range(2007, 2110)


def _sunday(year: int, month: int, number: int) -> datetime:
    first = datetime(year, month, 1, tzinfo=UTC)
    return first + timedelta(days=(6 - first.weekday()) % 7 + 7 * (number - 1))


_CHANGES_MS: Final[IntArray] = np.array(
    [
        round(change.timestamp() * 1000)
        for year in _YEARS
        for change in (_sunday(year, 3, 2) + timedelta(hours=7), _sunday(year, 11, 1) + timedelta(hours=6))
    ]
)
"""UTC times at which daylight saving begins and ends, in turn."""


def weekdays(ts_ms: IntArray) -> IntArray:
    """Day of the week of times (...), Monday 0 to Sunday 6."""
    return np.asarray((ts_ms // DAY_MS + _FIRST_WEEKDAY) % 7)


def new_york_ms(ts_ms: IntArray) -> IntArray:
    """New York's wall clock, as milliseconds since 1970 of that clock, for UTC times from 2007 on."""
    is_summer = np.searchsorted(_CHANGES_MS, ts_ms, side="right") % 2 == 1
    return np.asarray(ts_ms - np.where(is_summer, 4, 5) * HOUR_MS)


def new_york_columns(ts_ms: IntArray) -> FloatArray:
    """Compute the columns NEW_YORK_FEATURES of times (...), shape (..., columns).

    Waves of the day, the same on Monday to Friday alone, and six parts of the week: the hour from 8:30 (data of the
    labour market and prices), 9:00 to 10:30 (opening at 9:30), 13:30 to 15:00 (decisions of the Federal Reserve),
    15:00 to 16:12 (closing at 16:00), Sunday from 17:00 and Friday from 16:00.
    """
    local = new_york_ms(ts_ms)
    hour = local % DAY_MS / HOUR_MS
    day = weekdays(local)
    at_work = day < SATURDAY
    angle = hour * (2 * np.pi / 24)
    waves = [wave(n * angle) for n in (1, 2) for wave in (np.sin, np.cos)]
    windows = [at_work & (hour >= start) & (hour < end) for start, end in _WINDOWS]
    evenings = [(day == _SUNDAY) & (hour >= 17), (day == _FRIDAY) & (hour >= 16)]
    return np.stack(
        [
            *waves,
            *(at_work * wave for wave in waves),
            np.sin(3 * angle),
            np.cos(3 * angle),
            *(np.where(part, 1.0, 0.0) for part in (*windows, *evenings)),
        ],
        axis=-1,
    )
