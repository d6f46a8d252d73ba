"""Tables as JSON: a list of objects written from whole columns, not row by row. Pure; lets other threads run."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["PART_ROWS", "json_objects", "json_parts", "json_rows", "number_texts"]

PART_ROWS: Final = 2000
_LEAST_WITH_EXPONENT: Final = 1e10
"""Larger numbers have an exponent, or a decimal point, in the texts of pyarrow."""

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


def json_objects(table: pa.Table) -> list[bytes]:
    """The rows one by one: a JSON object for each."""
    rows = _objects({name: table[name].combine_chunks() for name in table.column_names})
    return [text.encode() for text in rows.to_pylist()]


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
    columns = {name: table[name].combine_chunks() for name in table.column_names}
    _, offsets, texts = _objects(columns, ",").buffers()  # the texts lie one after another
    end = np.frombuffer(offsets, np.int32)[table.num_rows]
    following: bytes = texts.slice(1, end - 1).to_pybytes()
    return following


def _objects(columns: dict[str, pa.Array], before: str = "") -> pa.Array:
    """One JSON object per row as text, each with `before` in front of it."""
    pieces: list[pa.Array | str] = [before + "{"]
    for place, (name, column) in enumerate(columns.items()):
        _append(pieces, f"{',' if place else ''}{json.dumps(name)}:")
        _append(pieces, _texts(column))
    _append(pieces, "}")
    if len(pieces) == 1:
        return pa.repeat(pieces[0], len(next(iter(columns.values()))))
    return pc.binary_join_element_wise(*pieces, "", null_handling="replace", null_replacement="null")


def _append(pieces: list[pa.Array | str], piece: pa.Array | str) -> None:
    """Add a piece; texts that are the same in every row join the text before them."""
    if isinstance(piece, str) and isinstance(pieces[-1], str):
        pieces[-1] += piece
    else:
        pieces.append(piece)


def _texts(column: pa.Array) -> pa.Array | str:  # noqa: PLR0911 - one kind of column after another
    """Each value as JSON text; null stays null. One text for a column that says the same in every row."""
    kind = column.type
    if pa.types.is_floating(kind):
        return number_texts(column)
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
    values = column.flatten()
    texts = _texts(values)
    texts = pa.repeat(texts, len(values)) if isinstance(texts, str) else texts
    joined = pc.binary_join(pa.ListArray.from_arrays(offsets, texts), ",")
    return pc.binary_join_element_wise("[", joined, "]", "")


def number_texts(column: pa.Array) -> pa.Array:
    """Floating-point numbers as the shortest text that is the same number; whole ones keep their `.0`."""
    values = column.to_numpy(zero_copy_only=False)
    finite = np.isfinite(values)
    if not finite.all():
        column = pc.if_else(pa.array(finite), column, None)
    texts = column.cast(pa.string())
    whole = (np.floor(values) == values) & (np.abs(values) < _LEAST_WITH_EXPONENT)
    if not whole.any():
        return texts
    return pc.if_else(pa.array(whole), pc.binary_join_element_wise(texts, ".0", ""), texts)


def _times(column: pa.Array) -> pa.Array:
    """ISO 8601 in UTC with milliseconds, as core.times.iso writes it."""
    written = column.cast(pa.timestamp("ms")).cast(pa.string())
    with_t = pc.utf8_replace_slice(written, _DATE_END, _DATE_END + 1, "T")
    return pc.binary_join_element_wise('"', with_t, _UTC_SUFFIX, "")


def _quoted(column: pa.DictionaryArray) -> pa.Array | str:
    """JSON strings, each different text escaped once."""
    escaped = [json.dumps(text, ensure_ascii=False) for text in column.dictionary.to_pylist()]
    if len(escaped) == 1 and not column.null_count:
        return escaped[0]
    return pa.array(escaped, pa.string()).take(column.indices)
