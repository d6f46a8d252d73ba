"""Tables as JSON: a list of objects written from whole columns, not row by row. Pure; lets other threads run."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
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
_FIRST_PRINTED: Final = 32
"""JSON escapes the characters before it."""


def json_rows(table: pa.Table) -> bytes:
    """A JSON list with an object for each row, its keys in the order of the columns.

    Args:
        table: columns of numbers, booleans, texts (plain or dictionary), times in milliseconds (read as UTC),
            structs of these, and lists of structs, all of one length; a number that is not finite becomes null.

    Raises:
        TypeError: a column has another type.
    """
    return b"[" + _joined(table) + b"]"


def json_objects(table: pa.Table) -> list[bytes]:
    """The rows one by one: a JSON object for each."""
    rows = _objects(_columns(table))
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
    _, offsets, texts = _objects(_columns(table), ",").buffers()  # the texts lie one after another
    end = np.frombuffer(offsets, np.int32)[table.num_rows]
    following: bytes = texts.slice(1, end - 1).to_pybytes()
    return following


def _columns(table: pa.Table) -> dict[str, pa.Array]:
    whole = zip(table.column_names, table.columns, strict=True)
    return {name: column.chunk(0) if column.num_chunks == 1 else column.combine_chunks() for name, column in whole}


class _Objects:
    """The objects of some rows as they are put together: texts that every row has, and columns of texts.

    Columns of one type become texts in one go, for each call of pyarrow costs as much as a hundred values.
    """

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._pieces: list[pa.Array | str | None] = [""]
        self._waiting: dict[Callable[[pa.Array], pa.Array], list[tuple[int, pa.Array]]] = {}

    def text(self, text: str) -> None:
        """Add a text that is the same in every row."""
        if isinstance(self._pieces[-1], str):
            self._pieces[-1] += text
        else:
            self._pieces.append(text)

    def fields(self, columns: Mapping[str, pa.Array]) -> None:
        """Add an object with these columns."""
        self.text("{")
        for place, (name, column) in enumerate(columns.items()):
            self.text(f"{',' if place else ''}{_quoted(name)}:")
            self._values(column)
        self.text("}")

    def joined(self) -> pa.Array:
        """One text per row."""
        for write, leaves in self._waiting.items():
            texts = write(pa.concat_arrays([column for _, column in leaves]))
            for number, (place, _) in enumerate(leaves):
                self._pieces[place] = texts.slice(number * self._rows, self._rows)
        if len(self._pieces) == 1:
            return pa.repeat(self._pieces[0], self._rows)
        return pc.binary_join_element_wise(*self._pieces, "", null_handling="replace", null_replacement="null")

    def _values(self, column: pa.Array) -> None:
        """Add the values of a column; null stays null."""
        kind = column.type
        if pa.types.is_floating(kind):
            self._wait(number_texts, column)
        elif pa.types.is_timestamp(kind):
            self._times(column)
        elif pa.types.is_dictionary(kind):
            self._coded(column)
        elif pa.types.is_struct(kind) and not column.null_count:
            self.fields(_children(column))
        else:
            self._pieces.append(_texts(column))

    def _times(self, column: pa.Array) -> None:
        """Add times; their quotes belong to the text around them unless one is null."""
        if column.null_count:
            self._wait(_quoted_times, column)
            return
        self.text('"')
        self._wait(_times, column)
        self.text(_UTC_SUFFIX)

    def _coded(self, column: pa.DictionaryArray) -> None:
        """Add coded values, each different one written once."""
        written = [json.dumps(value, ensure_ascii=False) for value in column.dictionary.to_pylist()]
        if len(written) == 1 and not column.null_count:
            self.text(written[0])
        else:
            self._pieces.append(pa.array(written, pa.string()).take(column.indices))

    def _wait(self, write: Callable[[pa.Array], pa.Array], column: pa.Array) -> None:
        self._waiting.setdefault(write, []).append((len(self._pieces), column))
        self._pieces.append(None)


def _objects(columns: Mapping[str, pa.Array], before: str = "") -> pa.Array:
    """One JSON object per row as text, each with `before` in front of it."""
    objects = _Objects(len(next(iter(columns.values()))))
    objects.text(before)
    objects.fields(columns)
    return objects.joined()


def _texts(column: pa.Array) -> pa.Array:
    """Each value as JSON text; null stays null."""
    kind = column.type
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_null(kind):
        return column.cast(pa.string())
    if pa.types.is_string(kind):
        return _quoted_texts(column)
    if pa.types.is_struct(kind):
        return pc.if_else(column.is_valid(), _objects(_children(column)), None)
    if pa.types.is_fixed_size_list(kind):
        return _lists(column)
    raise TypeError(f"no JSON for a column of {kind}")


def _children(column: pa.StructArray) -> dict[str, pa.Array]:
    return {field.name: column.field(place) for place, field in enumerate(column.type)}


def _lists(column: pa.FixedSizeListArray) -> pa.Array:
    """JSON lists of objects, all of one length."""
    size = column.type.list_size
    offsets = pa.array(range(0, size * len(column) + 1, size), pa.int32())
    joined = pc.binary_join(pa.ListArray.from_arrays(offsets, _texts(column.flatten())), ",")
    return pc.binary_join_element_wise("[", joined, "]", "")


@lru_cache(maxsize=1024)
def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _quoted_texts(column: pa.StringArray) -> pa.Array:
    """JSON strings, escaped one by one only where one needs it."""
    if _is_plain(column):
        return pc.binary_join_element_wise('"', column, '"', "")
    coded = column.dictionary_encode()
    return pa.array([_quoted(text) for text in coded.dictionary.to_pylist()], pa.string()).take(coded.indices)


def _is_plain(column: pa.StringArray) -> bool:
    """Whether no text has a character that JSON escapes."""
    _, offsets, data = column.buffers()
    places = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1]
    if data is None or not len(column):
        return True
    content = np.frombuffer(data, np.uint8)[places[0] : places[-1]]
    return not ((content < _FIRST_PRINTED) | (content == ord('"')) | (content == ord("\\"))).any()


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
    """ISO 8601 in UTC with milliseconds, as core.times.iso writes it, without the offset."""
    written = column.cast(pa.timestamp("ms")).cast(pa.string())
    return pc.binary_replace_slice(written.view(pa.binary()), _DATE_END, _DATE_END + 1, b"T").view(pa.string())


def _quoted_times(column: pa.Array) -> pa.Array:
    return pc.binary_join_element_wise('"', _times(column), _UTC_SUFFIX, "")
