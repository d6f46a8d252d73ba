"""Numbers, times and intervals as a Brazilian reader writes them."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Final

from core.number_format import format_number

__all__ = ["day", "integer", "number", "percent", "span", "timestamp"]

_MISSING: Final = "–"


def number(value: float | None, digits: int = 3) -> str:
    """`0,937`, or a dash for an unknown value."""
    if value is None or not math.isfinite(value):
        return _MISSING
    return format_number(value, digits).replace("-", "\N{MINUS SIGN}")


def integer(value: int) -> str:
    """`12.345`."""
    return number(value, 0)


def percent(share: float | None, digits: int = 1) -> str:
    """A share such as 0.805 as `80,5 %`."""
    return _MISSING if share is None else f"{number(100 * share, digits)}\N{NO-BREAK SPACE}%"


def span(interval: tuple[float, float] | None, digits: int = 3) -> str:
    """An interval as `0,930 a 0,944`."""
    return _MISSING if interval is None else f"{number(interval[0], digits)} a {number(interval[1], digits)}"


def timestamp(value: datetime) -> str:
    """`31/05/2024 14:05`, UTC."""
    return f"{value:%d/%m/%Y %H:%M}"


def day(iso_day: str) -> str:
    """`2024-05-31` as `31/05`."""
    return f"{iso_day[8:10]}/{iso_day[5:7]}"
