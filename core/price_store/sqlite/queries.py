"""Queries and error handling that reader and writer of the SQLite store share."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from core.errors import DamagedFile, NotReady, StorageProblem
from core.price_store.rows import Price
from core.times import FOREVER_MS

__all__ = ["first_ms", "is_damage", "latest_prices", "price_range", "quick_check", "reading", "writing"]

_NEWEST: Final = (
    "SELECT coin_id, ts_ms, price, market_cap, volume, fetched_ms FROM prices WHERE coin_id = ? "
    "ORDER BY ts_ms DESC LIMIT 1"
)
_BROKEN: Final = "broken page"
_UNREADABLE: Final = re.compile(r"unable to get the page\. error code=(\d+)")


def latest_prices(connection: sqlite3.Connection) -> dict[str, Price]:
    """The newest price of each tracked coin."""
    coins = [row[0] for row in connection.execute("SELECT id FROM coins WHERE tracked = 1")]
    rows = (connection.execute(_NEWEST, (coin_id,)).fetchone() for coin_id in coins)
    return {row[0]: Price(*row) for row in rows if row is not None}


def first_ms(connection: sqlite3.Connection, coin_id: str) -> int | None:
    """Event time of the oldest price of one coin, or None without prices."""
    row = connection.execute("SELECT ts_ms FROM prices WHERE coin_id = ? ORDER BY ts_ms LIMIT 1", (coin_id,)).fetchone()
    return None if row is None else int(row[0])


def price_range(
    connection: sqlite3.Connection, coin_id: str, start_ms: int, end_ms: int | None
) -> list[tuple[int, float]]:
    """Event times and prices of one coin within [start_ms, end_ms], in order."""
    return connection.execute(
        "SELECT ts_ms, price FROM prices WHERE coin_id = ? AND ts_ms BETWEEN ? AND ? ORDER BY ts_ms",
        (coin_id, start_ms, FOREVER_MS if end_ms is None else end_ms),
    ).fetchall()


def quick_check(connection: sqlite3.Connection) -> None:
    """Read every page.

    Raises:
        sqlite3.DatabaseError: a page is damaged.
        sqlite3.OperationalError: a page cannot be read now, because of the disk or a lack of memory.
    """
    (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    code = _UNREADABLE.search(verdict)
    if code is not None and int(code[1]) & 0xFF in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM):
        raise sqlite3.OperationalError(verdict)
    if verdict != "ok":
        raise sqlite3.DatabaseError(f"{_BROKEN}: {verdict}")


def is_damage(error: sqlite3.Error | UnicodeDecodeError) -> bool:
    """Whether an error means a damaged file, rather than a busy, full or unreachable one.

    Where SQLite quotes damaged bytes in its message, Python fails to read the message.
    """
    if isinstance(error, UnicodeDecodeError):
        return True
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return str(error).startswith(_BROKEN) or code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


@contextmanager
def writing() -> Iterator[None]:
    """Turn errors of SQLite into DamagedFile or, if the disk cannot be written now, StorageProblem."""
    try:
        yield
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        if is_damage(error):
            raise DamagedFile(f"crypto.db: {error}") from error
        raise StorageProblem(f"crypto.db: {error}") from error
    except OSError as error:
        raise StorageProblem(f"crypto.db: {error.strerror or error}") from error


@contextmanager
def reading() -> Iterator[None]:
    """Turn errors of SQLite into DamagedFile or, if the file cannot be read now, NotReady."""
    try:
        yield
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        if is_damage(error):
            raise DamagedFile(f"crypto.db: {error}") from error
        raise NotReady(f"crypto.db: {error}") from error
