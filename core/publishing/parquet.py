"""Published tables as Parquet files, read with a checksum of each page."""

from __future__ import annotations

import errno
import io
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import BinaryIO, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from core.errors import DamagedFile, NotReady
from core.files import check_regular
from core.publishing.parquet_cost import open_within
from core.wording import message

__all__ = [
    "MOST_TABLE_BYTES",
    "check_content",
    "check_footer",
    "check_whole",
    "is_damage",
    "read_checked",
    "read_table",
    "sorted_by",
    "table_bytes",
    "write_tables",
]

MOST_TABLE_BYTES: Final = 2 * 2**30
"""Of one published file: a day of features of 5,000 coins has a third of it."""

_MOST_ROWS: Final = 20_000_000
"""Of one published file, ten times as many as a day of 5,000 coins."""

_ROW_GROUP: Final = 16_384
"""Rows per row group: small, so that reading one coin of a day reads a part of the file."""

_THOROUGH: Final = 11
"""Level of zstd for more rows than a group has: a tenth smaller, in five times the processor time (0.13 s with 5,000
coins) and no longer to read. Fewer rows are compressed as quickly as can be."""

_SAMPLE: Final = 1_000
"""Rows at the beginning of a table from which the form of its columns is chosen."""


def table_bytes(table: pa.Table) -> bytes:
    """Serialise a table as Parquet."""
    buffer = io.BytesIO()
    for _ in write_tables(iter([table]), buffer):
        pass
    return buffer.getvalue()


def write_tables(tables: Iterator[pa.Table], file: BinaryIO) -> Iterator[int]:
    """Write tables of one schema, at least one, one after another as Parquet, with a checksum of each page.

    Numbers that seldom repeat are stored byte by byte: all first bytes, which are alike, then all second ones. A
    dictionary of them would be larger than they are.

    Yields:
        The rows of each table, once it is written; the file is whole after the last.
    """
    first = next(tables)
    varied = [name for name in first.column_names if _seldom_repeats(first[name])]
    with pq.ParquetWriter(
        file,
        first.schema,
        compression="zstd",
        compression_level=_THOROUGH if len(first) > _ROW_GROUP else None,
        write_page_checksum=True,
        version="2.6",
        use_dictionary=[name for name in first.column_names if name not in varied],
        column_encoding=dict.fromkeys(varied, "BYTE_STREAM_SPLIT"),
    ) as writer:
        for table in chain([first], tables):
            writer.write_table(table, row_group_size=_ROW_GROUP)
            yield table.num_rows


def _seldom_repeats(column: pa.ChunkedArray) -> bool:
    """Whether most of a column's first numbers are distinct."""
    if not pa.types.is_floating(column.type):
        return False
    first = column.slice(0, _SAMPLE)
    return bool(2 * pc.count_distinct(first).as_py() > len(first))


def read_table(path: Path, columns: Sequence[str] | None = None, coin: str | None = None) -> pa.Table:
    """Read a published table, or only the rows of `coin`, and check its pages.

    Raises:
        NotReady: the file was superseded and deleted (read the manifest again), or cannot be read now.
        DamagedFile: its content is damaged.
    """
    try:
        return read_checked(path, columns, coin)
    except FileNotFoundError as error:
        raise NotReady(message("files.superseded", file=path.name)) from error
    except (pa.ArrowInvalid, OSError) as error:
        if isinstance(error, OSError) and not is_damage(error):
            raise NotReady(
                message("files.unreadable_now", file=path.name, reason=error.strerror or str(error))
            ) from error
        raise DamagedFile(f"{path.name}: {error}") from error


def read_checked(
    path: Path, columns: Sequence[str] | None, coin: str | None = None, span: tuple[str, str] | None = None
) -> pa.Table:
    """Read some columns of a table, or only the rows of `coin` or of a span of coins, and check their pages.

    Raises:
        pyarrow.ArrowInvalid, OSError: see `is_damage`.
        DamagedFile: it is no regular file.
    """
    check_regular(path, MOST_TABLE_BYTES)
    first, last = span or (coin, coin)
    filters = None if first is None else [("coin", ">=", first), ("coin", "<=", last)]
    wanted = None if columns is None else list(columns)
    with path.open("rb") as file:  # reads one coin of a day with 250 in a twentieth of the memory
        try:
            return pq.read_table(file, columns=wanted, filters=filters, page_checksum_verification=True)
        except UnicodeDecodeError as error:
            raise pa.ArrowInvalid("the name of a column is no UTF-8") from error


def is_damage(error: Exception) -> bool:
    """Whether an error means that the file is missing or its content damaged: those of Arrow have no errno.

    Too many open files, missing permission or a failing disk say nothing about the content.
    """
    return not isinstance(error, OSError) or error.errno in (None, errno.ENOENT)


def check_footer(path: Path) -> None:
    """Read the footer of a file, without which no part can be read, and see that the rest is not too large to read.

    Raises:
        pyarrow.ArrowInvalid, OSError: see `is_damage`.
        DamagedFile: reading the file would take far more memory than any published table.
    """
    check_regular(path, MOST_TABLE_BYTES)
    with path.open("rb") as file:  # closed whatever happens: Windows renames no open file
        open_within(file, _MOST_ROWS)


def check_whole(path: Path) -> None:
    """Read all pages of a file and check them.

    Raises:
        pyarrow.ArrowInvalid, OSError, DamagedFile: as `check_footer`.
    """
    check_regular(path, MOST_TABLE_BYTES)
    with path.open("rb") as file:
        table = open_within(file, _MOST_ROWS)
        for group in range(table.num_row_groups):
            table.read_row_group(group)


def check_content(content: bytes, name: str) -> None:
    """Check the content of a file that comes from elsewhere as `check_footer` does, before it gets its name.

    Raises:
        DamagedFile: it is no Parquet, or would take too much memory.
    """
    try:
        open_within(io.BytesIO(content), _MOST_ROWS)
    except (pa.ArrowException, OSError) as error:
        raise DamagedFile(f"{name}: {error}") from error


def sorted_by(*columns: str) -> Callable[[pa.Table], pa.Table]:
    """Make an `arrange` for `Publisher.compact` that sorts rows by the columns, ascending."""
    return lambda table: table.sort_by([(column, "ascending") for column in columns])
