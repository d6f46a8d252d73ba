"""Numbers, prices and durations as text, alike in console, report, API and dashboard."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Final

__all__ = ["MAX_DECIMALS", "duration_text", "format_number", "level_text", "price_decimals"]

MAX_DECIMALS: Final = 18
_SWAP_SEPARATORS: Final = str.maketrans(",.", ".,")
_UNITS_S: Final = ((86_400, "d"), (3_600, "h"), (60, "min"))
_NO_BREAK: Final = "\u00a0"


def format_number(value: float, decimals: int = 0, language: str = "pt") -> str:
    """Format `1234.5` with one decimal as `1.234,5` in Portuguese and `1,234.5` in any other language."""
    text = f"{value:,.{decimals}f}"
    return text.translate(_SWAP_SEPARATORS) if language == "pt" else text


def level_text(level: float, language: str = "pt") -> str:
    """A price that somebody chose, with the decimals that it has: `100.000`, `67.500,5`, `0,00002`."""
    shortest = f"{Decimal(repr(level)):f}"
    return format_number(level, len(shortest.rstrip("0").partition(".")[2]), language)


def price_decimals(price: float) -> int:
    """Number of decimals that show a small move: 2 for 67187.33, 8 for 0.00002431, 0 from a million up."""
    if not math.isfinite(price) or price <= 0:
        return 2
    magnitude = math.floor(math.log10(price))
    decimals = 4 - magnitude if magnitude >= 0 else 3 - magnitude
    return min(max(decimals, 0 if price >= 1e6 else 2), MAX_DECIMALS)


def duration_text(seconds: float) -> str:
    """`12 s`, `3 min`, `5 h` or `2 d` in every language; minutes, hours and days are rounded down."""
    for length, unit in _UNITS_S:
        if seconds >= length:
            return f"{seconds // length:.0f}{_NO_BREAK}{unit}"
    return f"{max(seconds, 0):.0f}{_NO_BREAK}s"
