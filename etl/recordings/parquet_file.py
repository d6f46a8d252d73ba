"""Recordings in Parquet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from core.errors import BadInput, DamagedFile
from core.publishing.parquet_cost import open_within
from core.wording import message
from etl.arrays import FloatArray, IntArray
from etl.recordings.limits import MOST_COINS, most_rows, too_costly
from etl.recordings.recorded_rows import FIRST_MILLISECOND, OWN_TIMES, RecordedRows, find_columns, parse_time

__all__ = ["read_parquet"]


def read_parquet(path: Path) -> RecordedRows:
    """Read the columns time, coin, price and volume.

    Raises:
        BadInput: the file is not Parquet, a column is missing, a value cannot be read, or reading would cost too much.
    """
    try:
        return _rows(path, *_columns(path))
    except DamagedFile as error:
        raise too_costly(path, error.message) from error
    except pa.ArrowException as error:
        reason = str(error).partition("\n")[0][:120]
        raise BadInput(message("recording.not_parquet", file=path.name, reason=reason)) from error


def _columns(path: Path) -> tuple[dict[str, str], pa.Table]:
    """The names of the columns, and these columns; texts come as dictionaries."""
    with path.open("rb") as file:
        names = open_within(file, most_rows(), ()).schema_arrow.names
        columns = find_columns(path, names)
        wanted = list(columns.values())
        return columns, open_within(file, most_rows(), wanted).read(wanted)


def _rows(path: Path, columns: dict[str, str], table: pa.Table) -> RecordedRows:
    count = table.num_rows
    coin, ids = _texts(path, table, columns["coin"])
    return RecordedRows(
        number=np.arange(1, count + 1),
        ts_ms=_times(path, table, columns["time"]),
        coin=coin,
        ids=ids,
        price=_floats(path, table, columns["price"]),
        volume=_floats(path, table, columns["volume"]) if "volume" in columns else np.full(count, np.nan),
        columns=columns,
        daily_volume=columns["time"] in OWN_TIMES,
    )


def _times(path: Path, table: pa.Table, name: str) -> IntArray:
    column = table.column(name).combine_chunks()
    _refuse_nulls(path, column, name)
    if pa.types.is_timestamp(column.type):
        return np.asarray(pc.cast(column, pa.timestamp("ms", column.type.tz), safe=False).cast(pa.int64()), np.int64)
    if pa.types.is_integer(column.type):
        values = np.asarray(column, np.int64)
        return np.where(np.abs(values) < FIRST_MILLISECOND, values * 1000, values)
    texts = enumerate(column, 1)
    return np.fromiter((parse_time(path, row, name, str(text)) for row, text in texts), np.int64, len(column))


def _floats(path: Path, table: pa.Table, name: str) -> FloatArray:
    column = table.column(name).combine_chunks()
    try:
        if pa.types.is_dictionary(column.type):
            column = column.dictionary.cast(pa.float64()).take(column.indices)
        return np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False), np.float64)
    except pa.ArrowException as error:
        raise BadInput(message("recording.not_numeric", file=path.name, column=name)) from error


def _texts(path: Path, table: pa.Table, name: str) -> tuple[IntArray, list[str]]:
    encoded = table.column(name).dictionary_encode().combine_chunks()
    _refuse_nulls(path, encoded, name)
    if len(encoded.dictionary) > MOST_COINS:
        raise too_costly(path, message("recording.too_many_coins", most=MOST_COINS))
    ids = encoded.dictionary.cast(pa.string()).to_pylist()
    return np.asarray(encoded.indices, np.int64), [str(value) for value in ids]


def _refuse_nulls(path: Path, column: pa.Array, name: str) -> None:
    if column.null_count:
        row = pc.index(column.is_null(), True).as_py() + 1
        raise BadInput(message("recording.empty_cell", file=path.name, row=int(row), column=name))
