"""Format numbers, prices and times in a visitor's language and time zone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from core.number_format import MAX_DECIMALS, duration_text, format_number, price_decimals
from core.times import to_datetime

__all__ = ["Formats", "range_decimals", "time_zone"]

_SYMBOLS: Final = {
    "usd": "US$",
    "brl": "R$",
    "eur": "€",
    "gbp": "£",
    "jpy": "¥",
    "cny": "CN¥",
    "krw": "₩",
    "inr": "₹",
    "btc": "₿",
    "eth": "Ξ",
}
_NO_BREAK: Final = "\u00a0"


def time_zone(name: str | None) -> tzinfo:
    """The browser's time zone; UTC if it is missing or unknown to this machine."""
    try:
        return ZoneInfo(name) if name else UTC
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: the name of a folder, or too long for a file
        return UTC


def range_decimals(low: float, high: float) -> int:
    """Number of decimals that tell the two ends of a range apart, with two digits of its width."""
    width = high - low
    enough = 1 - math.floor(math.log10(width)) if width > 0 else price_decimals(high)
    return min(max(enough, 0), MAX_DECIMALS)


@dataclass(frozen=True)
class Formats:
    """Formats of one visitor: language (pt or en), time zone of the browser, currency of the prices."""

    language: str
    zone: tzinfo
    currency: str

    @property
    def separators(self) -> str:
        """Decimal and thousands separator, as Plotly wants them."""
        return ",." if self.language == "pt" else ".,"

    @property
    def symbol(self) -> str:
        """Symbol of the currency, or its code in capitals; in English the dollar of the United States is `$`."""
        if self.language == "en" and self.currency == "usd":
            return "$"
        return _SYMBOLS.get(self.currency, self.currency.upper())

    def amount(self, number: str) -> str:
        """A number with its currency: `US$ 67.187,33`, and `$67,187.33` in English."""
        joint = "" if self.language == "en" and len(self.symbol) == 1 else _NO_BREAK
        return f"{self.symbol}{joint}{number}"

    def number(self, value: float, decimals: int = 0) -> str:
        """`1234.5` with one decimal as `1.234,5` (pt) or `1,234.5` (en)."""
        return format_number(value, decimals, self.language)

    def price(self, value: float | None, decimals: int | None = None) -> str:
        """A price with its currency; by default with as many decimals as `price_decimals` gives."""
        if value is None:
            return "—"
        digits = price_decimals(value) if decimals is None else decimals
        return self.amount(self.number(value, digits))

    def price_range(self, low: float, high: float, decimals: int | None = None) -> str:
        """Two prices as a range without the currency; by default with just enough decimals to tell them apart."""
        digits = range_decimals(low, high) if decimals is None else decimals
        return f"{self.number(low, digits)} – {self.number(high, digits)}"

    def percent(self, value: float | None, decimals: int = 2, *, signed: bool = False) -> str:
        """A percentage; what rounds to zero has no sign."""
        if value is None:
            return "—"
        text = self.number(value, decimals)
        if float(f"{value:.{decimals}f}") == 0:
            text = self.number(0.0, decimals)
        elif signed and value > 0:
            text = f"+{text}"
        return f"{text}%"

    def ratio(self, value: float | None, decimals: int = 3) -> str:
        """A ratio such as 0,987, or a dash for None."""
        return "—" if value is None else self.number(value, decimals)

    def size(self, value: int) -> str:
        """Bytes as B, kB, MB or GB."""
        amount = float(value)
        for unit in ("B", "kB", "MB"):
            if amount < 1000:
                return f"{self.number(amount, 0 if unit == 'B' else 1)}{_NO_BREAK}{unit}"
            amount /= 1000
        return f"{self.number(amount, 1)}{_NO_BREAK}GB"

    def duration(self, seconds: float) -> str:
        """`12 s`, `3 min`, `5 h` or `2 d`; minutes, hours and days are rounded down."""
        return duration_text(seconds)

    def local(self, ts_ms: int) -> datetime:
        """Local time of the visitor without its zone, as Plotly draws it on an axis."""
        return to_datetime(ts_ms).astimezone(self.zone).replace(tzinfo=None)

    def clock(self, ts_ms: int) -> str:
        """`14:35`."""
        return f"{self.local(ts_ms):%H:%M}"

    def seconds(self, ts_ms: int) -> str:
        """`14:35:07`."""
        return f"{self.local(ts_ms):%H:%M:%S}"

    def day_time(self, ts_ms: int) -> str:
        """`22/11 14:35` (pt) or `Nov 22 14:35` (en)."""
        return f"{self.local(ts_ms):{self.day_pattern} %H:%M}"

    def date_time(self, ts_ms: int | None) -> str:
        """`22/11/2026 14:35:07` (pt) or `2026-11-22 14:35:07` (en)."""
        if ts_ms is None:
            return "—"
        return f"{self.local(ts_ms):{self.date_pattern} %H:%M:%S}"

    @property
    def date_pattern(self) -> str:
        """Pattern of a date."""
        return "%d/%m/%Y" if self.language == "pt" else "%Y-%m-%d"

    @property
    def day_pattern(self) -> str:
        """Pattern of a date on an axis, without the year."""
        return "%d/%m" if self.language == "pt" else "%b %d"
