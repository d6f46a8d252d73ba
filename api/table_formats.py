"""One table in the formats in which lists come: CSV, Parquet and an Arrow stream, besides JSON. Pure."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from functools import lru_cache, partial
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from api.json_rows import PART_ROWS, json_parts, json_rows, number_texts
from core.reading.csv_export import neutralised, origin_columns
from core.workspace import Workspace

__all__ = ["MEDIA_TYPES", "PARTS", "WRITERS", "ListFormat", "accepted_format", "flat_table", "unix_times"]


class ListFormat(StrEnum):
    """Format of a list."""

    JSON = "json"
    CSV = "csv"
    PARQUET = "parquet"
    ARROW = "arrow"


MEDIA_TYPES: Final = {
    ListFormat.JSON: "application/json",
    ListFormat.CSV: "text/csv; charset=utf-8",
    ListFormat.PARQUET: "application/vnd.apache.parquet",
    ListFormat.ARROW: "application/vnd.apache.arrow.stream",
}

_UTC: Final = "+00:00"
_FORMATS: Final = {kind.partition(";")[0]: form for form, kind in MEDIA_TYPES.items()}
_WEIGHT: Final = re.compile(r"(?:^|;)\s*q=([01](?:\.\d{0,3})?)\s*(?:;|$)")


@lru_cache(maxsize=256)
def accepted_format(accept: str) -> ListFormat:
    """The format that an Accept header prefers; JSON if it names none of the others, or names JSON before them."""
    best, best_weight = ListFormat.JSON, 0.0
    for part in accept.split(","):
        kind, _, parameters = part.partition(";")
        form = _FORMATS.get(kind.strip().lower())
        weight = _weight(parameters)
        if form is not None and weight > best_weight:
            best, best_weight = form, weight
    return best


def _weight(parameters: str) -> float:
    found = _WEIGHT.search(parameters)
    return float(found[1]) if found else 1.0


def unix_times(table: pa.Table) -> pa.Table:
    """The table with its times as milliseconds since 1970."""
    for place, field in enumerate(table.schema):
        if pa.types.is_timestamp(field.type):
            table = table.set_column(place, field.name, table[field.name].cast(pa.int64()))
    return table


def flat_table(table: pa.Table, workspace: Workspace) -> pa.Table:
    """The table without nested columns, with currency, source and attribution in every row.

    A field of a nested column is named after both; a step of a list also after its number: `trajetoria_3_previsao`.
    """
    columns = {name: column for top in table.column_names for name, column in _flat(top, _whole(table[top]))}
    origin = {name: pa.repeat(text, len(table)) for name, text in origin_columns(workspace).items()}
    return pa.table(columns | origin)


def csv_text(table: pa.Table) -> bytes:
    """A flat table as CSV (RFC 4180): times in ISO 8601, all digits, empty where unknown, no cell runs as a formula."""
    return b"".join(part() for part in csv_parts(table))


def csv_parts(table: pa.Table) -> list[Callable[[], bytes]]:
    """The same as functions that make one part each."""
    header = (",".join(table.column_names) + "\r\n").encode()
    starts = range(0, table.num_rows, PART_ROWS)
    return [lambda: header, *(partial(_csv_lines, table, start) for start in starts)]


def _csv_lines(table: pa.Table, start: int) -> bytes:
    rows = table.slice(start, PART_ROWS)
    buffer = io.BytesIO()
    options = pa_csv.WriteOptions(include_header=False, quoting_style="needed", eol="\r\n")
    pa_csv.write_csv(pa.table({name: _cells(rows[name]) for name in rows.column_names}), buffer, options)
    return buffer.getvalue()


def parquet_file(table: pa.Table) -> bytes:
    """A flat table as a Parquet file."""
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


def arrow_stream(table: pa.Table) -> bytes:
    """A flat table as an Arrow IPC stream."""
    buffer = io.BytesIO()
    with pa.ipc.new_stream(buffer, table.schema) as writer:
        writer.write_table(table)
    return buffer.getvalue()


def _whole(column: pa.ChunkedArray) -> pa.Array:
    whole = column.combine_chunks()
    return whole.dictionary_decode() if pa.types.is_dictionary(whole.type) else whole


def _flat(name: str, column: pa.Array) -> Iterator[tuple[str, pa.Array]]:
    if pa.types.is_struct(column.type):
        for field, values in zip(column.type, column.flatten(), strict=True):
            yield from _flat(f"{name}_{field.name}", values)
    elif pa.types.is_fixed_size_list(column.type):
        for place in range(column.type.list_size):
            yield from _flat(f"{name}_{place + 1}", pc.list_element(column, place))
    else:
        yield name, column


def _cells(column: pa.ChunkedArray) -> pa.Array:
    if pa.types.is_timestamp(column.type):
        return pc.binary_join_element_wise(pc.strftime(column, "%Y-%m-%dT%H:%M:%S"), _UTC, "")
    if pa.types.is_floating(column.type):
        return number_texts(pc.if_else(pc.is_finite(column), column, None))
    if not pa.types.is_string(column.type):
        return column
    coded = column.combine_chunks().dictionary_encode()
    return pa.chunked_array(
        [pa.array([neutralised(text) for text in coded.dictionary.to_pylist()], pa.string()).take(coded.indices)]
    )


WRITERS: Final[Mapping[ListFormat, Callable[[pa.Table], bytes]]] = {
    ListFormat.JSON: json_rows,
    ListFormat.CSV: csv_text,
    ListFormat.PARQUET: parquet_file,
    ListFormat.ARROW: arrow_stream,
}
"""What writes a table in each format; all but JSON want a flat one."""

PARTS: Final[Mapping[ListFormat, Callable[[pa.Table], list[Callable[[], bytes]]]]] = {
    ListFormat.JSON: json_parts,
    ListFormat.CSV: csv_parts,
}
"""The same part by part, in the formats that are made in parts."""
