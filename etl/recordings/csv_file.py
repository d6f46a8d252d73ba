"""Recordings in CSV, such as the dashboard's exports and files of spreadsheets."""

from __future__ import annotations

import csv
import itertools
from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple, TextIO

import numpy as np

from core.errors import BadInput
from core.wording import message
from etl.recordings.limits import MOST_COINS, MOST_LINE, most_rows, too_costly, too_many_rows
from etl.recordings.recorded_rows import OWN_TIMES, RecordedRows, find_columns, parse_time

__all__ = ["read_csv"]

_CURRENCY: Final = "moeda_cotacao"
_MOST_ID: Final = 101
"""An id is cut after so many characters. No coin has an id that long, so a check that follows refuses it."""


class _Heading(NamedTuple):
    """The heading of a file: its separator, its number of columns, and name and place of the columns needed."""

    separator: str
    width: int
    columns: dict[str, str]
    places: dict[str, int]


class _Row(NamedTuple):
    number: int
    ts_ms: int
    coin: str
    price: float
    volume: float
    currency: str


def read_csv(path: Path) -> RecordedRows:
    """Read a CSV file in UTF-8; lines that begin with # are remarks.

    Raises:
        BadInput: the file is not CSV, a column is missing, a value cannot be read, or there are too many rows.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = _lines(path, file)
            heading = _heading(path, lines)
            return _collected(path, _rows(path, lines, heading), heading)
    except UnicodeDecodeError as error:
        raise BadInput(message("recording.not_text", file=path.name, byte=error.start)) from error
    except csv.Error as error:
        raise BadInput(message("recording.not_csv", file=path.name, reason=str(error))) from error


def _lines(path: Path, file: TextIO) -> Iterator[tuple[int, str]]:
    """The lines that count, with their numbers; none is held in memory that is longer than any row."""
    number = 0
    while line := file.readline(MOST_LINE + 1):
        number += 1
        if len(line) > MOST_LINE:
            raise too_costly(path, message("recording.long_line", row=number, most=MOST_LINE))
        if line.strip() and not line.startswith("#"):
            yield number, line


def _heading(path: Path, lines: Iterator[tuple[int, str]]) -> _Heading:
    """Read the heading; the separator is , or ;, whichever it has more of."""
    first = next(lines, None)
    if first is None:
        raise BadInput(message("recording.empty_file", file=path.name))
    _, line = first
    separator = ";" if line.count(";") > line.count(",") else ","
    header = [name.strip().lower() for name in next(csv.reader([line], delimiter=separator))]
    columns = find_columns(path, header)
    if _CURRENCY in header:
        columns["currency"] = _CURRENCY
    return _Heading(separator, len(header), columns, {use: header.index(name) for use, name in columns.items()})


def _rows(path: Path, lines: Iterable[tuple[int, str]], heading: _Heading) -> Iterator[_Row]:
    numbered, texts = itertools.tee(lines)
    fields = csv.reader((line for _, line in texts), delimiter=heading.separator, strict=True)
    columns, places = heading.columns, heading.places
    for (number, _), values in zip(numbered, fields, strict=False):
        if len(values) <= max(places.values()):
            raise BadInput(message("recording.too_few_columns", file=path.name, row=number, found=len(values)))
        if len(values) > heading.width:  # such as a decimal comma among commas: 12,5 would become 12
            raise BadInput(
                message(
                    "recording.too_many_columns", file=path.name, row=number, found=len(values), width=heading.width
                )
            )
        volume = values[places["volume"]].strip() if "volume" in places else ""
        yield _Row(
            number,
            parse_time(path, number, columns["time"], values[places["time"]]),
            values[places["coin"]].strip(),
            _number(path, number, columns["price"], values[places["price"]]),
            _number(path, number, columns["volume"], volume) if volume else float("nan"),
            values[places["currency"]].strip().lower() if "currency" in places else "usd",
        )


def _collected(path: Path, rows: Iterable[_Row], heading: _Heading) -> RecordedRows:
    """Collect the rows in arrays of 40 bytes per row."""
    number, ts_ms, coin, price, volume = array("q"), array("q"), array("q"), array("d"), array("d")
    place_of: dict[str, int] = {}
    currency: str | None = None
    most = most_rows()
    for row in rows:
        if len(number) == most:
            raise too_many_rows(path, most)
        if currency not in (None, row.currency):
            raise BadInput(
                message(
                    "recording.two_currencies",
                    file=path.name,
                    row=row.number,
                    column=_CURRENCY,
                    found=row.currency[:40],
                    before=currency,
                )
            )
        currency = row.currency
        number.append(row.number)
        ts_ms.append(row.ts_ms)
        coin.append(place_of.setdefault(row.coin[:_MOST_ID], len(place_of)))
        if len(place_of) > MOST_COINS:
            raise too_costly(path, message("recording.too_many_coins", most=MOST_COINS))
        price.append(row.price)
        volume.append(row.volume)
    return RecordedRows(
        number=np.array(number),
        ts_ms=np.array(ts_ms),
        coin=np.array(coin),
        ids=list(place_of),
        price=np.array(price),
        volume=np.array(volume),
        columns=heading.columns,
        daily_volume=heading.columns["time"] in OWN_TIMES,
        currency=currency or "usd",
    )


def _number(path: Path, row: int, column: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise BadInput(
            message("recording.not_a_number", file=path.name, row=row, column=column, text=text.strip()[:40])
        ) from None
