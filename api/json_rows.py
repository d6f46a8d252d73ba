"""Tables as JSON: a list of objects written from whole columns, not row by row. Pure; lets other threads run."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["PART_ROWS", "json_parts", "json_rows", "number_texts"]

PART_ROWS: Final = 2000

_DATE_END: Final = 10
_UTC_SUFFIX: Final = '+00:00"'


def json_rows(table: pa.Table) -> bytes:
    """A JSON list with an object for each row, its keys in the order of the columns.

    Args:
        table: columns of numbers, booleans, texts (plain or dictionary), times in milliseconds (read as UTC),
            structs of these and lists of one length of these; a number that is not finite becomes null.

    Raises:
        TypeError: a column has another type.
    """
    return b"[" + _joined(table) + b"]"


def json_parts(table: pa.Table) -> list[Callable[[], bytes]]:
    """The same as functions that make one part each, of at most `PART_ROWS` rows; joined they are `json_rows`."""
    starts = range(0, table.num_rows, PART_ROWS)
    return [partial(_part, table, start) for start in starts] or [partial(json_rows, table)]


def _part(table: pa.Table, start: int) -> bytes:
    end = b"]" if start + PART_ROWS >= table.num_rows else b""
    return (b"," if start else b"[") + _joined(table.slice(start, PART_ROWS)) + end


def _joined(table: pa.Table) -> bytes:
    """The rows as JSON objects with commas between them."""
    if not table.num_rows:
        return b""
    rows = _objects({name: table[name].combine_chunks() for name in table.column_names})
    one_list = pa.ListArray.from_arrays(pa.array([0, len(rows)], pa.int32()), rows)
    joined: bytes = pc.binary_join(one_list, ",")[0].as_buffer().to_pybytes()
    return joined


def _objects(columns: dict[str, pa.Array]) -> pa.Array:
    """One JSON object per row as text."""
    pieces: list[pa.Array | str] = []
    for name, column in columns.items():
        pieces += [f"{',' if pieces else '{'}{json.dumps(name)}:", _texts(column)]
    return pc.binary_join_element_wise(*pieces, "}", "", null_handling="replace", null_replacement="null")


def _texts(column: pa.Array) -> pa.Array:  # noqa: PLR0911 - one kind of column after another
    """Each value as JSON text; null stays null."""
    kind = column.type
    if pa.types.is_floating(kind):
        return number_texts(pc.if_else(pc.is_finite(column), column, None))
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_null(kind):
        return column.cast(pa.string())
    if pa.types.is_timestamp(kind):
        return _times(column)
    if pa.types.is_dictionary(kind):
        return _quoted(column)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _quoted(column.dictionary_encode())
    if pa.types.is_struct(kind):
        return _structs(column)
    if pa.types.is_fixed_size_list(kind):
        return _lists(column)
    raise TypeError(f"no JSON for a column of {kind}")


def _structs(column: pa.StructArray) -> pa.Array:
    """JSON objects."""
    objects = _objects({field.name: column.field(place) for place, field in enumerate(column.type)})
    return pc.if_else(column.is_valid(), objects, None)


def _lists(column: pa.FixedSizeListArray) -> pa.Array:
    """JSON lists, all of one length."""
    size = column.type.list_size
    offsets = pa.array(range(0, size * len(column) + 1, size), pa.int32())
    joined = pc.binary_join(pa.ListArray.from_arrays(offsets, _texts(column.flatten())), ",")
    return pc.binary_join_element_wise("[", joined, "]", "")


def number_texts(column: pa.Array) -> pa.Array:
    """Floating-point numbers as the shortest text that is the same number; whole ones keep their `.0`."""
    texts = column.cast(pa.string())
    whole = pc.and_(pc.equal(pc.floor(column), column), pc.invert(pc.match_substring(texts, "e")))
    if not pc.any(whole).as_py():
        return texts
    return pc.if_else(whole, pc.binary_join_element_wise(texts, ".0", ""), texts)


def _times(column: pa.Array) -> pa.Array:
    """ISO 8601 in UTC with milliseconds, as core.times.iso writes it."""
    written = column.cast(pa.timestamp("ms")).cast(pa.string())
    with_t = pc.utf8_replace_slice(written, _DATE_END, _DATE_END + 1, "T")
    return pc.binary_join_element_wise('"', with_t, _UTC_SUFFIX, "")


def _quoted(column: pa.DictionaryArray) -> pa.Array:
    """JSON strings, each different text escaped once."""
    escaped = pa.array([json.dumps(text, ensure_ascii=False) for text in column.dictionary.to_pylist()], pa.string())
    return escaped.take(column.indices)
