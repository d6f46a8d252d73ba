"""Published tables as Parquet files: their bytes, and reading them back checked page by page."""

from __future__ import annotations

import errno
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from core.errors import DamagedFile, NotReady
from core.wording import message

__all__ = ["check_footer", "check_whole", "is_damage", "read_checked", "read_table", "sorted_by", "table_bytes"]

_ROW_GROUP: Final = 16_384
"""Rows read at once: small enough that one coin of a day costs a part of the file."""


def table_bytes(table: pa.Table) -> bytes:
    """The Parquet file of a table, each page with a checksum."""
    buffer = io.BytesIO()
    pq.write_table(
        table, buffer, compression="zstd", row_group_size=_ROW_GROUP, write_page_checksum=True, version="2.6"
    )
    return buffer.getvalue()


def read_table(path: Path, columns: Sequence[str] | None = None, coin: str | None = None) -> pa.Table:
    """A published table, or only the rows of `coin`, checked page by page.

    Raises:
        NotReady: the file was superseded long ago (read the manifest again), or cannot be read now.
        DamagedFile: what it holds is broken.
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


def read_checked(path: Path, columns: Sequence[str] | None, coin: str | None = None) -> pa.Table:
    """Some columns of a table, or only the rows of `coin`, each page checked; errors as of `check_footer`."""
    filters = None if coin is None else [("coin", "=", coin)]
    wanted = None if columns is None else list(columns)
    with path.open("rb") as file:  # not whole into memory: one coin of a day with 250 costs a twentieth
        return pq.read_table(file, columns=wanted, filters=filters, page_checksum_verification=True)


def is_damage(error: Exception) -> bool:
    """Whether the file is gone or its content broken: of that Arrow complains without a number of the operating system.

    Too many open files, no permission, a disk that fails: none says anything of the content.
    """
    return not isinstance(error, OSError) or error.errno in (None, errno.ENOENT)


def check_footer(path: Path) -> None:
    """Read the end of a file, without which nothing of it can be read.

    Raises:
        pyarrow.ArrowInvalid, OSError: see `is_damage`.
    """
    pq.read_metadata(path)


def check_whole(path: Path) -> None:
    """Read every page of a file with its checksum, and keep nothing; errors as of `check_footer`."""
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        for group in range(file.num_row_groups):
            file.read_row_group(group)


def sorted_by(*columns: str) -> Callable[[pa.Table], pa.Table]:
    """An arrangement for `Publisher.compact`: rows in ascending order of the columns."""
    return lambda table: table.sort_by([(column, "ascending") for column in columns])
