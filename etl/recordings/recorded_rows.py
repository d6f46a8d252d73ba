"""Rows of a recording as in its file, and the possible names of columns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from core.errors import BadInput
from core.times import parse_iso
from core.wording import message
from etl.arrays import FloatArray, IntArray

__all__ = ["FIRST_MILLISECOND", "OWN_TIMES", "RecordedRows", "find_columns", "parse_time"]

_NAMES: Final = {
    "time": ("timestamp", "ts_ms", "horario"),
    "coin": ("coin", "coin_id", "id", "moeda"),
    "price": ("price", "preco"),
    "volume": ("volume", "volume_24h"),
}

OWN_TIMES: Final = ("ts_ms", "horario")
"""Time columns of the project's own files, whose volumes are those of 24 hours."""

FIRST_MILLISECOND: Final = 100_000_000_000
"""UNIX times below this are seconds (until the year 5138), others are milliseconds (since 1973)."""


@dataclass(frozen=True)
class RecordedRows:
    """Rows in the order of the file; `number` counts them as a person would.

    `coin` holds places in `ids`; `columns` maps time, coin, price and volume to the file's names for them;
    `daily_volume` says that volumes are sums of 24 hours already. Unknown volumes are NaN.
    """

    number: IntArray
    ts_ms: IntArray
    coin: IntArray
    ids: list[str]
    price: FloatArray
    volume: FloatArray
    columns: dict[str, str]
    daily_volume: bool
    currency: str = "usd"


def find_columns(path: Path, header: Iterable[str]) -> dict[str, str]:
    """Map time, coin, price and, where there is one, volume to a name in `header`.

    Raises:
        BadInput: time, coin or price has no column.
    """
    header = list(header)
    found = {purpose: next((name for name in names if name in header), None) for purpose, names in _NAMES.items()}
    for purpose in ("time", "coin", "price"):
        if found[purpose] is None:
            wanted = " | ".join(_NAMES[purpose])
            raise BadInput(
                message("recording.column_missing", file=path.name, wanted=wanted, found=", ".join(header)[:200])
            )
    return {purpose: name for purpose, name in found.items() if name is not None}


def parse_time(path: Path, row: int, column: str, text: str) -> int:
    """UTC milliseconds of ISO 8601, UNIX seconds or UNIX milliseconds.

    Raises:
        BadInput: the text is none of these; the message names file, row and column.
    """
    text = text.strip()
    try:
        if text.isdecimal() and 9 <= len(text) <= 15:
            value = int(text)
            return value * 1000 if value < FIRST_MILLISECOND else value
        return parse_iso(text)
    except ValueError:
        raise BadInput(
            message("recording.not_a_time", file=path.name, row=row, column=column, text=text[:40])
        ) from None
