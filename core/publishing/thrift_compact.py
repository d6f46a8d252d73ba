"""Structures in Thrift's compact protocol, as Parquet's footer and page headers are written. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import repeat
from typing import Final

__all__ = ["Compact"]


class Compact:
    """Walks over a structure in Thrift's compact protocol; reading past the end raises IndexError.

    A structure whose fields are out of order raises ValueError: of a field that comes twice, other readers take the
    last one, also where its number is the same in 16 bits alone.

    Attributes:
        place: bytes read so far.
    """

    INTEGER: Final = 5
    LONG: Final = 6
    STRUCTURE: Final = 12
    _LENGTHS: Final = {1: 0, 2: 0, 3: 1, 7: 8, 13: 16}
    """Bytes of the kinds true, false, byte, double and uuid as fields."""
    _VARIABLE: Final = (4, 5, 6)
    _TEXT: Final = 8
    _LISTS: Final = (9, 10)
    _MOST_DEPTH: Final = 16
    _MOST_FIELD: Final = 2**15 - 1

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.place = 0

    def fields(self) -> Iterator[tuple[int, int]]:
        """Number and kind of each field up to the end of the structure; the caller reads or skips its value."""
        number = 0
        while head := self._byte():
            before, number = number, number + (head >> 4) if head >> 4 else self.integer()
            if not before < number <= self._MOST_FIELD:
                raise ValueError(f"field {number} after {before}")
            yield number, head & 15

    def integer(self) -> int:
        """A signed integer."""
        value = self._varint()
        return (value >> 1) ^ -(value & 1)

    def items_of(self, field: int) -> Iterator[None]:
        """Pass over a structure; stop at each item of the list in this field, which the caller reads."""
        for number, kind in self.fields():
            if number == field and kind in self._LISTS:
                items, _ = self._list()
                yield from repeat(None, items)
            else:
                self.skip(kind)

    def skip(self, kind: int, depth: int = 0) -> None:
        """Pass over a value."""
        if depth > self._MOST_DEPTH:
            raise ValueError("nested too deeply")
        if kind in self._LENGTHS:
            self._pass(self._LENGTHS[kind])
        elif kind in self._VARIABLE:
            self._varint()
        elif kind == self._TEXT:
            self._pass(self._varint())
        elif kind in self._LISTS:
            items, inner = self._list()
            for _ in range(items):
                self.skip(inner, depth + 1)
        elif kind == self.STRUCTURE:
            for _, inner in self.fields():
                self.skip(inner, depth + 1)
        else:
            raise ValueError(f"kind {kind}")

    def _list(self) -> tuple[int, int]:
        """How many items a list has, and of which kind; a boolean takes a byte there."""
        head = self._byte()
        items = head >> 4 if head >> 4 < 15 else self._varint()
        if items > len(self._content) - self.place:
            raise IndexError
        return items, 3 if head & 15 in (1, 2) else head & 15

    def _varint(self) -> int:
        value = 0
        for shift in range(0, 70, 7):
            byte = self._byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
        raise ValueError("a number of more than ten bytes")

    def _byte(self) -> int:
        byte = self._content[self.place]
        self.place += 1
        return byte

    def _pass(self, length: int) -> None:
        self.place += length
        if self.place > len(self._content):
            raise IndexError
