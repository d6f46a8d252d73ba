"""Recordings in Parquet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from core.errors import BadInput
from core.wording import message
from etl.arrays import FloatArray, IntArray
from etl.recordings.recorded_rows import FIRST_MILLISECOND, OWN_TIMES, RecordedRows, find_columns, parse_time

__all__ = ["read_parquet"]


def read_parquet(path: Path) -> RecordedRows:
    """Read the columns time, coin, price and volume.

    Raises:
        BadInput: the file is not Parquet, a column is missing, or a value cannot be read.
    """
    try:
        columns = find_columns(path, pq.read_schema(path).names)
        table = pq.read_table(path, columns=list(columns.values()))
    except pa.ArrowException as error:
        raise BadInput(
            message("recording.not_parquet", file=path.name, reason=str(error).splitlines()[0][:120])
        ) from error
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
    texts = enumerate(column.to_pylist(), 1)
    return np.array([parse_time(path, row, name, str(text)) for row, text in texts], np.int64)


def _floats(path: Path, table: pa.Table, name: str) -> FloatArray:
    column = table.column(name).combine_chunks()
    try:
        return np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False), np.float64)
    except pa.ArrowException as error:
        raise BadInput(message("recording.not_numeric", file=path.name, column=name)) from error


def _texts(path: Path, table: pa.Table, name: str) -> tuple[IntArray, list[str]]:
    column = table.column(name).cast(pa.string()).combine_chunks()
    _refuse_nulls(path, column, name)
    encoded = column.dictionary_encode()
    return np.asarray(encoded.indices, np.int64), [str(value) for value in encoded.dictionary.to_pylist()]


def _refuse_nulls(path: Path, column: pa.Array, name: str) -> None:
    if column.null_count:
        row = pc.index(column.is_null(), True).as_py() + 1
        raise BadInput(message("recording.empty_cell", file=path.name, row=int(row), column=name))
