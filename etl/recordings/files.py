"""Columns of a recording as its file has them: Parquet, CSV (also the project's own exports) or a crypto.db.

What cannot be read as a moment or a number is refused here, with file, row and column; what is read but cannot be
true, etl.recordings.recording refuses.
"""

from __future__ import annotations

import csv
import itertools
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from core.errors import BadInput
from core.times import parse_moment
from etl.arrays import FloatArray, IntArray

__all__ = ["Table", "read_table"]

_NAMES: Final = {
    "time": ("timestamp", "ts_ms", "horario"),
    "coin": ("coin", "coin_id", "id", "moeda"),
    "price": ("price", "preco"),
    "volume": ("volume", "volume_24h"),
}
_OWN_TIMES: Final = ("ts_ms", "horario")
_SECONDS_BELOW: Final = 100_000_000_000


@dataclass(frozen=True)
class Table:
    """Rows of a recording in the order of the file; `row` numbers them as a person would find them.

    `coin` holds places in `ids`; `columns` maps time, coin and price to the file's names for them; `daily_volume` says
    that the volume column already is that of 24 hours.
    """

    row: IntArray
    ts_ms: IntArray
    coin: IntArray
    ids: list[str]
    price: FloatArray
    volume: FloatArray
    columns: dict[str, str]
    daily_volume: bool
    currency: str = "usd"


def read_table(path: Path) -> Table:
    """Read `path`, whose kind its first bytes tell.

    Raises:
        BadInput: one Portuguese line saying what is wrong with the file, or with which row and column.
    """
    try:
        with path.open("rb") as file:
            first = file.read(16)
        if first.startswith(b"PAR1"):
            return _read_parquet(path)
        if first.startswith(b"SQLite format 3"):
            return _read_database(path)
        return _read_csv(path)
    except OSError as error:
        raise BadInput(f"não foi possível ler a gravação {path}: {error.strerror or error}") from error


def _read_parquet(path: Path) -> Table:
    try:
        schema = pq.read_schema(path)
        columns = _columns(path, schema.names)
        table = pq.read_table(path, columns=list(columns.values()))
    except pa.ArrowException as error:
        raise BadInput(f"{path.name}: não é um arquivo Parquet legível ({str(error).splitlines()[0][:120]})") from error
    count = table.num_rows
    coin, ids = _texts(path, table, columns["coin"])
    volume = _floats(path, table, columns["volume"]) if "volume" in columns else np.full(count, np.nan)
    return Table(
        row=np.arange(1, count + 1),
        ts_ms=_moments(path, table, columns["time"]),
        coin=coin,
        ids=ids,
        price=_floats(path, table, columns["price"]),
        volume=volume,
        columns=columns,
        daily_volume=columns["time"] in _OWN_TIMES,
    )


def _moments(path: Path, table: pa.Table, name: str) -> IntArray:
    column = table.column(name).combine_chunks()
    _refuse_nulls(path, column, name)
    if pa.types.is_timestamp(column.type):
        return np.asarray(pc.cast(column, pa.timestamp("ms", column.type.tz), safe=False).cast(pa.int64()), np.int64)
    if pa.types.is_integer(column.type):
        values = np.asarray(column, np.int64)
        return np.where(np.abs(values) < _SECONDS_BELOW, values * 1000, values)
    return np.array([_moment(path, row, name, str(text)) for row, text in enumerate(column.to_pylist(), 1)], np.int64)


def _floats(path: Path, table: pa.Table, name: str) -> FloatArray:
    column = table.column(name).combine_chunks()
    try:
        return np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False), np.float64)
    except pa.ArrowException as error:
        raise BadInput(f"{path.name}: coluna '{name}' não é numérica") from error


def _texts(path: Path, table: pa.Table, name: str) -> tuple[IntArray, list[str]]:
    column = table.column(name).cast(pa.string()).combine_chunks()
    _refuse_nulls(path, column, name)
    encoded = column.dictionary_encode()
    return np.asarray(encoded.indices, np.int64), [str(value) for value in encoded.dictionary.to_pylist()]


def _refuse_nulls(path: Path, column: pa.Array, name: str) -> None:
    if column.null_count:
        row = pc.index(column.is_null(), True).as_py() + 1
        raise BadInput(f"{path.name}: linha {row}, coluna '{name}': vazia")


def _read_csv(path: Path) -> Table:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _csv_table(path, file)
    except UnicodeDecodeError as error:
        raise BadInput(f"{path.name}: não é texto UTF-8 (byte {error.start}), nem Parquet, nem crypto.db") from error
    except csv.Error as error:
        raise BadInput(f"{path.name}: não é um CSV legível ({error})") from error


def _csv_table(path: Path, lines: Iterable[str]) -> Table:
    """Lines beginning with # are remarks; the separator is whichever of , and ; the heading has more of."""
    numbered = ((number, line) for number, line in enumerate(lines, 1) if line.strip() and not line.startswith("#"))
    heading = next(numbered, None)
    if heading is None:
        raise BadInput(f"{path.name}: arquivo vazio")
    separator = ";" if heading[1].count(";") > heading[1].count(",") else ","
    header = [name.strip().lower() for name in next(csv.reader([heading[1]], delimiter=separator))]
    columns = _columns(path, header)
    places = {purpose: header.index(name) for purpose, name in columns.items()}
    if "moeda_cotacao" in header:
        places["currency"], columns["currency"] = header.index("moeda_cotacao"), "moeda_cotacao"
    rows = list(_csv_rows(path, numbered, separator, places, columns, width=len(header)))
    row, ts_ms, coin, price, volume, currency = zip(*rows, strict=True) if rows else ((),) * 6
    for number, name in zip(row, currency, strict=True):
        if name != currency[0]:
            raise BadInput(
                f"{path.name}: linha {number}, coluna 'moeda_cotacao': '{name[:40]}', e antes '{currency[0]}'"
            )
    codes, ids = _encoded(coin)
    return Table(
        row=np.array(row, np.int64),
        ts_ms=np.array(ts_ms, np.int64),
        coin=codes,
        ids=ids,
        price=np.array(price, np.float64),
        volume=np.array(volume, np.float64),
        columns=columns,
        daily_volume=columns["time"] in _OWN_TIMES,
        currency=currency[0] if currency else "usd",
    )


def _csv_rows(
    path: Path,
    numbered: Iterable[tuple[int, str]],
    separator: str,
    places: dict[str, int],
    columns: dict[str, str],
    *,
    width: int,
) -> Iterator[tuple[int, int, str, float, float, str]]:
    numbers, lines = itertools.tee(numbered)
    fields = csv.reader((line for _, line in lines), delimiter=separator, strict=True)
    for (number, _), values in zip(numbers, fields, strict=False):
        if len(values) <= max(places.values()):
            raise BadInput(f"{path.name}: linha {number}: faltam colunas (há {len(values)})")
        if len(values) > width:  # such as a decimal comma among commas: 12,5 would become 12
            raise BadInput(f"{path.name}: linha {number}: colunas demais (há {len(values)}, o cabeçalho tem {width})")
        volume = values[places["volume"]].strip() if "volume" in places else ""
        yield (
            number,
            _moment(path, number, columns["time"], values[places["time"]]),
            values[places["coin"]].strip(),
            _number(path, number, columns["price"], values[places["price"]]),
            _number(path, number, columns["volume"], volume) if volume else float("nan"),
            values[places["currency"]].strip().lower() if "currency" in places else "usd",
        )


def _encoded(texts: Iterable[str]) -> tuple[IntArray, list[str]]:
    """Each text as its place among the distinct ones."""
    places: dict[str, int] = {}
    codes = np.array([places.setdefault(text, len(places)) for text in texts], np.int64)
    return codes, list(places)


def _read_database(path: Path) -> Table:
    """The prices of a price store, whether or not its collector is running."""
    query = "SELECT coin_id, ts_ms, price, volume FROM prices ORDER BY coin_id, ts_ms"
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            rows = connection.execute(query).fetchall()
            currency = connection.execute("SELECT value FROM meta WHERE key = 'currency'").fetchone()
    except sqlite3.Error as error:
        raise BadInput(f"{path.name}: não é um crypto.db legível ({error})") from error
    columns = {"time": "ts_ms", "coin": "coin_id", "price": "price", "volume": "volume"}
    coin, ts_ms, price, volume = zip(*rows, strict=True) if rows else ((),) * 4
    codes, ids = _encoded(coin)
    return Table(
        row=np.arange(1, len(rows) + 1),
        ts_ms=np.array(ts_ms, np.int64),
        coin=codes,
        ids=ids,
        price=np.array(price, np.float64),
        volume=np.array([float("nan") if value is None else value for value in volume], np.float64),
        columns=columns,
        daily_volume=True,
        currency=currency[0] if currency else "usd",
    )


def _columns(path: Path, header: list[str]) -> dict[str, str]:
    """Which column serves which purpose; a file without volume is fine."""
    found = {purpose: next((name for name in names if name in header), None) for purpose, names in _NAMES.items()}
    for purpose in ("time", "coin", "price"):
        if found[purpose] is None:
            wanted = " ou ".join(_NAMES[purpose])
            raise BadInput(f"{path.name}: falta a coluna {wanted}; há: {', '.join(header)[:200]}")
    return {purpose: name for purpose, name in found.items() if name is not None}


def _moment(path: Path, row: int, column: str, text: str) -> int:
    """ISO 8601, or UNIX seconds or milliseconds."""
    text = text.strip()
    try:
        if text.isdecimal() and 9 <= len(text) <= 15:
            value = int(text)
            return value * 1000 if abs(value) < _SECONDS_BELOW else value
        return parse_moment(text)
    except ValueError:
        raise BadInput(f"{path.name}: linha {row}, coluna '{column}': '{text[:40]}' não é um horário") from None


def _number(path: Path, row: int, column: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise BadInput(f"{path.name}: linha {row}, coluna '{column}': '{text.strip()[:40]}' não é um número") from None
