"""Numbers as people type them, with decimal comma or decimal point. Pure."""

from __future__ import annotations

import math
import re
from typing import Final

from core.number_format import level_text

__all__ = ["translated", "typed_number"]

_MAX_AMOUNT: Final = 1e15


def typed_number(text: str, language: str) -> float | None:
    """A number with decimal comma or decimal point; None if the text is none, or if it is too large.

    Of two kinds of separator the last is the decimal one. A single one is, too, unless it is the language's thousands
    separator before exactly three digits and after other digits than a leading zero.
    """
    thousands = "." if language == "pt" else ","
    marks = {mark for mark in text if mark in ".,"}
    if len(marks) == 2:
        decimal = max(".,", key=text.rfind)
    else:
        grouped = re.fullmatch(rf"-?[1-9]\d{{0,2}}(?:\{thousands}\d{{3}})+", text)
        decimal = "" if grouped else next(iter(marks), "")
    if decimal and text.count(decimal) > 1:
        return None
    digits = "".join(character for character in text if character not in marks - {decimal})
    try:
        amount = float(digits.replace(",", "."))
    except ValueError:
        return None
    return amount if math.isfinite(amount) and abs(amount) < _MAX_AMOUNT else None


def translated(language: str, text: str, to_language: str) -> str:
    """A number typed in one language as one types it in another; the text itself if it is no number."""
    number = typed_number(text.strip(), language)
    return text if number is None else level_text(number, to_language)
