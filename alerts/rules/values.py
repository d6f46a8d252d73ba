"""Values of a rule as people write them: numbers with limits, durations, words of a list."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any, Final

from core.errors import BadInput
from core.times import DAY_MS, HOUR_MS, MINUTE_MS
from core.wording import message

__all__ = ["ALL", "Key", "choice", "duration", "flag", "key", "number", "text", "words", "write_duration"]

ALL: Final = "todas"
"""The word for all coins; of processes too, so that there is one to remember."""

_DURATION: Final = re.compile(r"(\d{1,6})\s*(s|m|h|d)")
_UNITS_MS: Final = {"d": DAY_MS, "h": HOUR_MS, "m": MINUTE_MS, "s": 1000}
_MAX_TEXT: Final = 200


@dataclass(frozen=True)
class Key:
    """How an attribute stands in alerts.toml: its name there, and how its value is read and written.

    `read` raises BadInput with a message that says what is expected.
    """

    name: str
    read: Callable[[object], Any]
    write: Callable[[Any], object] = field(default=lambda value: value)


def key(name: str, read: Callable[[object], Any], write: Callable[[Any], object] | None = None) -> dict[str, Any]:
    """Metadata of a dataclass field that stands in alerts.toml as `name`."""
    return {"key": Key(name, read) if write is None else Key(name, read, write)}


def number(low: float, high: float = math.inf, *, above: bool = False) -> Callable[[object], float]:
    """Read a finite number within [low, high], or (low, high] with `above`."""

    def read(value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not _is_finite(value):
            raise BadInput(message("alert.value.number"))
        if value < low or value > high or (above and value == low):
            raise BadInput(message("alert.value.limits", low=f"{low:g}", high=f"{high:g}"))
        return float(value)

    return read


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer of hundreds of digits
        return False


def duration(low_ms: int, high_ms: int) -> Callable[[object], int]:
    """Read a duration such as `90s`, `30m`, `6h` or `2d` into milliseconds."""

    def read(value: object) -> int:
        found = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
        if found is None:
            raise BadInput(message("alert.value.duration"))
        length_ms = int(found[1]) * _UNITS_MS[found[2]]
        if not low_ms <= length_ms <= high_ms:
            limits = {"low": write_duration(low_ms), "high": write_duration(high_ms)}
            raise BadInput(message("alert.value.limits", **limits))
        return length_ms

    return read


def write_duration(length_ms: int) -> str:
    """The shortest text of a duration in whole seconds: `90s`, `30m`, `2d`."""
    unit = next((unit for unit, size_ms in _UNITS_MS.items() if length_ms and length_ms % size_ms == 0), "s")
    return f"{length_ms // _UNITS_MS[unit]}{unit}"


def choice(*values: Any) -> Callable[[object], Any]:
    """Read one of these values."""

    def read(value: object) -> Any:
        for known in values:
            if known == value and not isinstance(value, bool):
                return known
        raise BadInput(message("alert.value.choice", known=", ".join(str(known) for known in values)))

    return read


def flag(value: object) -> bool:
    """Read true or false."""
    if not isinstance(value, bool):
        raise BadInput(message("alert.value.flag"))
    return value


def text(value: object) -> str:
    """Read a text of one line that is not empty."""
    if not isinstance(value, str) or not value.strip() or not value.isprintable() or len(value) > _MAX_TEXT:
        raise BadInput(message("alert.value.text"))
    return value.strip()


def words(all_of: str | None = None, known: Collection[str] = ()) -> Callable[[object], tuple[str, ...] | None]:
    """Read a list of texts without repetitions; the single word `all_of` means all, None.

    Args:
        all_of: the word for all, if there is one.
        known: the words that there are; empty if any word will do.
    """

    def read(value: object) -> tuple[str, ...] | None:
        if all_of is not None and value == all_of:
            return None
        if not isinstance(value, list | tuple) or not value:
            raise BadInput(message("alert.value.words"))
        found = tuple(dict.fromkeys(text(word) for word in value))
        unknown = [word for word in found if known and word not in known]
        if unknown:
            raise BadInput(message("alert.value.choice", known=", ".join(known)))
        return found

    return read
