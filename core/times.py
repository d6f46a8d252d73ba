"""Times: integer UTC milliseconds in storage, ISO 8601 with an offset for people."""

from __future__ import annotations

import re
import time
from datetime import UTC, date, datetime, timedelta
from typing import Final

__all__ = [
    "DAY_MS",
    "FOREVER_MS",
    "GRID_STEP_MS",
    "HOUR_MS",
    "MINUTE_MS",
    "iso",
    "month",
    "now_ms",
    "parse_iso",
    "to_datetime",
]

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
GRID_STEP_MS = 5 * MINUTE_MS
"""The fixed UTC grid on which training rows lie."""

_EPOCH: Final = re.compile(r"[0-9]{10}([0-9]{3})?", re.ASCII)
_MS_DIGITS: Final = 13

FOREVER_MS = 2**62
"""Later than any time and longer than any period."""


def now_ms() -> int:
    """Wall-clock time in UTC milliseconds."""
    return time.time_ns() // 1_000_000


def to_datetime(ts_ms: int) -> datetime:
    """`ts_ms` as an aware UTC datetime."""
    return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=ts_ms)


def iso(ts_ms: int) -> str:
    """`ts_ms` as ISO 8601 with milliseconds and offset, all of one width, so that pandas parses whole columns."""
    return to_datetime(ts_ms).isoformat(timespec="milliseconds")


def month(ts_ms: int) -> str:
    """Calendar month of `ts_ms` in UTC, `2026-11`."""
    return to_datetime(ts_ms).strftime("%Y-%m")


def parse_iso(text: str, *, end_of_day: bool = False) -> int:
    """Parse an ISO 8601 time or date into UTC milliseconds; without an offset it is UTC.

    A date alone means its first millisecond, or its last one with `end_of_day`. Ten digits are seconds since 1970,
    thirteen are milliseconds.

    Raises:
        ValueError: the text is neither a date nor a time, or lies outside the calendar.
    """
    text = text.strip()
    if _EPOCH.fullmatch(text):
        return int(text.ljust(_MS_DIGITS, "0"))
    try:
        day = date.fromisoformat(text)
    except ValueError:
        time_of_day = datetime.fromisoformat(text)
        return _milliseconds(time_of_day if time_of_day.tzinfo else time_of_day.replace(tzinfo=UTC))
    start = _milliseconds(datetime(day.year, day.month, day.day, tzinfo=UTC))
    return start + DAY_MS - 1 if end_of_day else start


def _milliseconds(time_utc: datetime) -> int:
    try:
        return (time_utc - datetime.fromtimestamp(0, UTC)) // timedelta(milliseconds=1)
    except OverflowError as error:
        raise ValueError("time outside the calendar") from error
