"""Export files: CSV for a spreadsheet in Portuguese or for programs, and Parquet; and their names."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from core.reading.csv_export import neutralised, origin_columns, safe_name
from core.settings import Source
from core.times import iso, to_datetime
from core.workspace import Workspace

__all__ = ["Format", "csv_cells", "export_name", "write_csv", "write_parquet"]


class Format(StrEnum):
    """How a file is written; the value is its name in the address."""

    EXCEL = "excel"
    CSV = "csv"
    PARQUET = "parquet"

    @property
    def extension(self) -> str:
        """End of the file's name."""
        return "parquet" if self is Format.PARQUET else "csv"

    @property
    def mime(self) -> str:
        """Media type of the file."""
        return "application/vnd.apache.parquet" if self is Format.PARQUET else "text/csv"


@dataclass(frozen=True)
class _Dialect:
    """How CSV is written: `time` writes UTC milliseconds, `time_suffix` ends the names of columns with times."""

    delimiter: str
    decimal: str
    encoding: str
    time: Callable[[int], str]
    time_suffix: str


def _spreadsheet_time(ts_ms: int) -> str:
    """`2026-11-24 14:35:07`, which spreadsheets in every language take for a time; `,123` follows if it is not 0."""
    text = f"{to_datetime(ts_ms):%Y-%m-%d %H:%M:%S}"
    return f"{text},{ts_ms % 1000:03}" if ts_ms % 1000 else text


_DIALECTS: Final = {
    Format.EXCEL: _Dialect(";", ",", "utf-8-sig", _spreadsheet_time, "_utc"),
    Format.CSV: _Dialect(",", ".", "utf-8", iso, ""),
}


def csv_cells(table: pa.Table, workspace: Workspace, form: Format) -> tuple[list[str], list[list[str]]]:
    """Header and rows of a table as a CSV file has them, with currency, source and attribution at the end.

    Args:
        table: times, texts and numbers; null where a value is unknown.
        workspace: says where the prices come from.
        form: one of the CSV formats.

    Returns:
        The names of the columns, and each row as text; an unknown value is empty.
    """
    dialect = _DIALECTS[form]
    header = [
        f"{field.name}{dialect.time_suffix}" if pa.types.is_timestamp(field.type) else field.name
        for field in table.schema
    ]
    columns = [_column(table.column(place), dialect) for place in range(table.num_columns)]
    origin = origin_columns(workspace)
    return [*header, *origin], [[*row, *origin.values()] for row in zip(*columns, strict=True)]


def write_csv(tables: Iterable[pa.Table], workspace: Workspace, form: Format) -> bytes:
    """One CSV file (RFC 4180) of tables with the same columns; empty without any table."""
    dialect = _DIALECTS[form]
    raw = io.BytesIO()
    with io.TextIOWrapper(raw, dialect.encoding, newline="") as text:
        writer = csv.writer(text, delimiter=dialect.delimiter)
        for place, table in enumerate(tables):
            header, rows = csv_cells(table, workspace, form)
            if place == 0:
                writer.writerow(header)
            writer.writerows(rows)
        text.flush()
        return raw.getvalue()


def write_parquet(tables: Iterable[pa.Table], workspace: Workspace) -> bytes:
    """One Parquet file of tables with the same columns, with currency, source and attribution as columns too."""
    raw = io.BytesIO()
    writer: pq.ParquetWriter | None = None
    for table in tables:
        for name, value in origin_columns(workspace).items():
            table = table.append_column(name, pa.repeat(value, len(table)))  # noqa: PLW2901 - one step of a chain
        if writer is None:
            writer = pq.ParquetWriter(raw, table.schema, compression="zstd")
        writer.write_table(table)
    if writer is not None:
        writer.close()
    return raw.getvalue()


def export_name(subject: str, coins: Sequence[str], when: str, workspace: Workspace, form: Format) -> str:
    """A file name such as `precos-bitcoin-2026-11-24-24h.csv`.

    Args:
        subject: kind of data.
        coins: ids; more than one are counted.
        when: day and period.
        workspace: prices that are not live add their source to the name.
        form: gives the extension.
    """
    which = coins[0] if len(coins) == 1 else f"{len(coins)}-moedas"
    parts = [subject, which, when, *([] if workspace.source is Source.COINGECKO else [workspace.source.value])]
    return f"{safe_name(parts)}.{form.extension}"


def _column(column: pa.ChunkedArray, dialect: _Dialect) -> list[str]:
    if pa.types.is_timestamp(column.type):
        times = column.cast(pa.int64()).to_pylist()
        return ["" if ts_ms is None else dialect.time(ts_ms) for ts_ms in times]
    if pa.types.is_floating(column.type):
        return [_number(value).replace(".", dialect.decimal) for value in column.to_pylist()]
    return [_text(value) for value in column.to_pylist()]


def _text(value: Any) -> str:
    return "" if value is None else neutralised(value) if isinstance(value, str) else str(value)


def _number(value: float | None) -> str:
    """A number with all its digits and without an exponent, which not every spreadsheet reads."""
    if value is None:
        return ""
    text = repr(value)
    return (format(Decimal(text), "f") if "e" in text else text).removesuffix(".0")
