"""How many digits of a number are real: prices without the noise of floating point."""

from __future__ import annotations

import math
from typing import Final

from core.number_format import price_decimals

__all__ = ["forecast_price", "significant", "stored_price"]

_PRICE_DIGITS: Final = 12
"""More than any source quotes; what logarithms and their inverse add lies beyond."""

_MORE_DECIMALS: Final = 4
"""A forecast has at most so many decimals more than the page shows."""


def significant(value: float | None, digits: int) -> float | None:
    """A number with at most so many significant digits; None where it is missing or no number."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.{digits}g}")


def stored_price(price: float) -> float:
    """A stored price, or one that went through a logarithm: both become the same number."""
    return float(f"{price:.{_PRICE_DIGITS}g}")


def forecast_price(value: float, price: float) -> float:
    """A forecast with the decimals of the price that it was made from, and at least those that the page shows."""
    least = price_decimals(price)
    stored = _decimals(stored_price(price))
    return float(f"{value:.{min(max(stored, least), least + _MORE_DECIMALS)}f}")


def _decimals(price: float) -> int:
    """Decimals that a price is written with."""
    mantissa, _, exponent = repr(price).partition("e")
    decimals = len(mantissa.partition(".")[2].rstrip("0"))
    return max(decimals - int(exponent or 0), 0)
