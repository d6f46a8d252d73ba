"""What a Parquet file would take to read, found out without decompressing any of it.

A file of some kilobytes can stand for gigabytes: pages that compress a thousandfold, dictionaries of long texts that
millions of rows repeat, lists in cells. The footer says how large everything is, but may lie; the header before each
page says how much memory the reader will take for it.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

import pyarrow as pa
import pyarrow.parquet as pq

from core.errors import DamagedFile
from core.wording import message

__all__ = ["MOST_PAGE_BYTES", "open_within", "refuse_costly"]

MOST_PAGE_BYTES: Final = 64 * 2**20
"""Of one page uncompressed. Writers make pages of about one megabyte."""

_MOST_FOOTER_BYTES: Final = 16 * 2**20
_MOST_STRINGS: Final = 2**20
"""Bytes of a name or text in the footer."""
_SPARE_BYTES: Final = 64 * 2**20
_ROW_BYTES: Final = 64
"""Bytes of a column for each row, uncompressed: a number has 8, a coin or a time as text at most 40."""
_FIXED_BYTES: Final = 32
"""The widest value of fixed length, a decimal number."""
_HEADER_BYTES: Final = 4096
"""Read at a time; a header with the extremes of long texts takes several."""
_MOST_HEADER_BYTES: Final = 2**20


@dataclass(frozen=True)
class _Page:
    """Sizes of one page in bytes: its header, and its content as stored and as read."""

    header: int
    stored: int
    read: int


def open_within(file: BinaryIO, most_rows: int, columns: Collection[str] | None = None) -> pq.ParquetFile:
    """Open a Parquet file of which at most so many rows and these columns (None: all) can be read without surprise.

    Texts are read as dictionaries, so that a repeated one is in memory once.

    Raises:
        pyarrow.ArrowException, OSError: it is no Parquet file, or cannot be read now.
        DamagedFile: reading the columns would take more memory than an honest file of its rows.
    """
    _refuse_large_footer(file)
    try:
        plain = pq.ParquetFile(file, thrift_string_size_limit=_MOST_STRINGS)
        refuse_costly(file, plain.metadata, most_rows, columns)
    except UnicodeDecodeError as error:
        raise pa.ArrowInvalid("the name of a column is no UTF-8") from error
    leaves = [plain.metadata.schema.column(place) for place in range(plain.metadata.num_columns)]
    texts = [leaf.path for leaf in leaves if leaf.physical_type == "BYTE_ARRAY"]
    return pq.ParquetFile(
        file,
        metadata=plain.metadata,
        read_dictionary=texts,
        pre_buffer=False,
        buffer_size=2**20,
        page_checksum_verification=True,
    )


def refuse_costly(
    file: BinaryIO, metadata: pq.FileMetaData, most_rows: int, columns: Collection[str] | None = None
) -> None:
    """Look at all that reading some columns would decompress.

    Raises:
        DamagedFile: there are more rows, a column has no plain values, or pages take more memory than they should.
    """
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    rows = max(metadata.num_rows, sum(group.num_rows for group in groups))
    if rows > most_rows or any(group.num_rows < 0 for group in groups):
        raise DamagedFile(message("recording.too_many_rows", rows=rows, most=most_rows))
    for place in range(metadata.num_columns):
        leaf = metadata.schema.column(place)
        name = leaf.path.partition(".")[0]
        if columns is not None and name not in columns:
            continue
        is_wide = leaf.physical_type == "FIXED_LEN_BYTE_ARRAY" and leaf.length > _FIXED_BYTES
        if leaf.path != name or leaf.max_repetition_level or is_wide:
            raise DamagedFile(message("recording.nested_column", column=name[:60]))
        total = 0
        for group in groups:
            total += _read_bytes(file, group.column(place), name)
        if total > _SPARE_BYTES + _ROW_BYTES * rows:
            raise DamagedFile(message("recording.large_column", column=name[:60], found=total, rows=rows))


def _refuse_large_footer(file: BinaryIO) -> None:
    """The footer is parsed whole, into structures several times as large."""
    size = file.seek(0, io.SEEK_END)
    if size >= 12:
        file.seek(-8, io.SEEK_END)
        (length,) = struct.unpack("<I", file.read(4))
        if length > _MOST_FOOTER_BYTES:
            raise DamagedFile(message("recording.large_footer", found=length, most=_MOST_FOOTER_BYTES))
    file.seek(0)


def _read_bytes(file: BinaryIO, chunk: pq.ColumnChunkMetaData, name: str) -> int:
    """Bytes that the pages of a column take uncompressed."""
    total = 0
    for page in _pages(file, chunk, name):
        if page.read > MOST_PAGE_BYTES:
            found = message("recording.large_page", column=name[:60], found=page.read, most=MOST_PAGE_BYTES)
            raise DamagedFile(found)
        total += page.read
    return total


def _pages(file: BinaryIO, chunk: pq.ColumnChunkMetaData, name: str) -> Iterator[_Page]:
    """The pages of a column, one after another as they lie in the file."""
    first = chunk.dictionary_page_offset if chunk.has_dictionary_page else None
    offsets = [offset for offset in (first, chunk.data_page_offset) if offset]  # 0: a column without values has none
    place = min(offsets, default=-1)
    end = place + chunk.total_compressed_size
    broken = message("recording.broken_pages", column=name[:60])
    while place < end:
        page = _page_at(file, place)
        if page is None or page.read < 0 or page.stored < 0:
            raise DamagedFile(broken)
        yield page
        place += page.header + page.stored
    if place != end:
        raise DamagedFile(broken)


def _page_at(file: BinaryIO, place: int) -> _Page | None:
    """The page at a place of the file; None if there is no header of one."""
    most = _HEADER_BYTES
    while most <= _MOST_HEADER_BYTES:
        if place < 0:
            return None
        file.seek(place)
        content = file.read(most)
        try:
            return _page(_Compact(content))
        except IndexError:  # the header is longer, or the file ends here
            if len(content) < most:
                return None
            most *= 16
        except ValueError:
            return None
    return None


def _page(header: _Compact) -> _Page | None:
    sizes = {}
    for number, kind in header.fields():
        if number in (2, 3) and kind == _Compact.INTEGER:
            sizes[number] = header.integer()
        else:
            header.skip(kind)
    return _Page(header.place, sizes[3], sizes[2]) if len(sizes) == 2 else None


class _Compact:
    """Walks over a structure in Thrift's compact protocol; reading past the end raises IndexError.

    Attributes:
        place: bytes read so far.
    """

    INTEGER: Final = 5
    _LENGTHS: Final = {1: 0, 2: 0, 3: 1, 7: 8, 13: 16}
    """Bytes of the kinds true, false, byte, double and uuid as fields."""
    _VARIABLE: Final = (4, 5, 6)
    _TEXT: Final = 8
    _LISTS: Final = (9, 10)
    _STRUCTURE: Final = 12
    _MOST_DEPTH: Final = 16

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.place = 0

    def fields(self) -> Iterator[tuple[int, int]]:
        """Number and kind of each field up to the end of the structure; the caller reads or skips its value."""
        number = 0
        while head := self._byte():
            number = number + (head >> 4) if head >> 4 else self.integer()
            yield number, head & 15

    def integer(self) -> int:
        """A signed integer."""
        value = self._varint()
        return (value >> 1) ^ -(value & 1)

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
            head = self._byte()
            for _ in range(head >> 4 if head >> 4 < 15 else self._varint()):
                self.skip(max(3, head & 15) if head & 15 in (1, 2) else head & 15, depth + 1)
        elif kind == self._STRUCTURE:
            for _, inner in self.fields():
                self.skip(inner, depth + 1)
        else:
            raise ValueError(f"kind {kind}")

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
