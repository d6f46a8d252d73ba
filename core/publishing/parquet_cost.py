"""What a Parquet file would take to read, found out without decompressing any of it.

A file of some kilobytes can stand for gigabytes: pages that compress a thousandfold, dictionaries of long texts that
millions of rows repeat, lists in cells. The footer says how large everything is, but may lie; the header before each
page says how much memory the reader will take for it.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Final

import pyarrow as pa
import pyarrow.parquet as pq

from core.errors import DamagedFile
from core.publishing.thrift_compact import Compact
from core.wording import message

__all__ = ["MOST_PAGE_BYTES", "open_within"]

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


_ROW_GROUPS: Final = 4
_COLUMNS: Final = 1
_ABOUT_COLUMN: Final = 3
_VALUES, _STORED, _DATA, _DICTIONARY = 5, 7, 9, 11
"""Numbers of fields in the footer: of the file, of a row group, of a column in it, and of what is said about that."""


@dataclass(frozen=True)
class _Chunk:
    """Where a column of a row group lies, for all readers: its first byte, and how many there are."""

    place: int
    stored: int


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
    footer = _footer(file)
    try:
        plain = pq.ParquetFile(file, thrift_string_size_limit=_MOST_STRINGS)
        _refuse_costly(file, plain.metadata, _chunks_by_group(footer), most_rows, columns)
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


def _refuse_costly(
    file: BinaryIO,
    metadata: pq.FileMetaData,
    chunks: Sequence[Sequence[_Chunk]],
    most_rows: int,
    columns: Collection[str] | None,
) -> None:
    """Look at all that reading some columns would decompress.

    Raises:
        DamagedFile: there are more rows, a column has no plain values, or pages take more memory than they should.
    """
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    if any(len(group) < metadata.num_columns for group in chunks):
        raise pa.ArrowInvalid("a row group lacks columns")
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
        for group in chunks:
            total += _read_bytes(file, group[place], name)
        if total > _SPARE_BYTES + _ROW_BYTES * rows:
            raise DamagedFile(message("recording.large_column", column=name[:60], found=total, rows=rows))


def _footer(file: BinaryIO) -> bytes:
    """The footer; empty if the file is too short. A large one is refused: parsed, it takes several times as much."""
    size = file.seek(0, io.SEEK_END)
    if size < 12:
        return b""
    file.seek(-8, io.SEEK_END)
    (length,) = struct.unpack("<I", file.read(4))
    if length > _MOST_FOOTER_BYTES:
        raise DamagedFile(message("recording.large_footer", found=length, most=_MOST_FOOTER_BYTES))
    file.seek(max(0, size - 8 - length))
    content = file.read(length)
    file.seek(0)
    return content


def _chunks_by_group(content: bytes) -> list[list[_Chunk]]:
    """The columns of each row group, by the footer itself: asked for a broken one, pyarrow ends the process.

    Raises:
        pyarrow.ArrowInvalid: the footer cannot be understood.
    """
    footer = Compact(content)
    try:
        return [_chunks(footer) for _ in footer.items_of(_ROW_GROUPS)]
    except (IndexError, ValueError) as error:
        raise pa.ArrowInvalid("the footer is broken") from error


def _chunks(footer: Compact) -> list[_Chunk]:
    return [_chunk(footer) for _ in footer.items_of(_COLUMNS)]


def _chunk(footer: Compact) -> _Chunk:
    found = {}
    for number, kind in footer.fields():
        if (number, kind) != (_ABOUT_COLUMN, Compact.STRUCTURE):
            footer.skip(kind)
            continue
        for inner, inner_kind in footer.fields():
            if inner in (_VALUES, _STORED, _DATA, _DICTIONARY) and inner_kind == Compact.LONG:
                found[inner] = footer.integer()
            else:
                footer.skip(inner_kind)
    data, dictionary = found.get(_DATA, 0), found.get(_DICTIONARY, 0)
    begins_with_dictionary = 0 < dictionary < data or not found.get(_VALUES)  # without values there is no page of data
    return _Chunk(dictionary if begins_with_dictionary else data, found.get(_STORED, 0))


def _read_bytes(file: BinaryIO, chunk: _Chunk, name: str) -> int:
    """Bytes that the pages of a column take uncompressed."""
    total = 0
    for page in _pages(file, chunk, name):
        if page.read > MOST_PAGE_BYTES:
            found = message("recording.large_page", column=name[:60], found=page.read, most=MOST_PAGE_BYTES)
            raise DamagedFile(found)
        total += page.read
    return total


def _pages(file: BinaryIO, chunk: _Chunk, name: str) -> Iterator[_Page]:
    """The pages of a column, one after another as they lie in the file."""
    place, end = chunk.place, chunk.place + chunk.stored
    broken = message("recording.broken_pages", column=name[:60])
    if chunk.stored and not 0 <= place < end <= file.seek(0, io.SEEK_END):
        raise DamagedFile(broken)
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
        file.seek(place)
        content = file.read(most)
        try:
            return _page(Compact(content))
        except IndexError:  # the header is longer, or the file ends here
            if len(content) < most:
                return None
            most *= 16
        except ValueError:
            return None
    return None


def _page(header: Compact) -> _Page | None:
    sizes = {}
    for number, kind in header.fields():
        if number in (2, 3) and kind == Compact.INTEGER:
            sizes[number] = header.integer()
        else:
            header.skip(kind)
    return _Page(header.place, sizes[3], sizes[2]) if len(sizes) == 2 else None
