"""Queries and error handling that reader and writer of the SQLite store share."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from operator import itemgetter
from typing import Final

from core.errors import DamagedFile, NotReady, StorageProblem
from core.price_store.rows import Price
from core.price_store.sqlite.recent_prices import LATE_MINUTES
from core.times import FOREVER_MS, MINUTE_MS

__all__ = ["first_ms", "is_damage", "last_price", "latest_prices", "price_range", "quick_check", "reading", "writing"]

_LAST_SETTLED: Final = (
    "SELECT coin_id, ts_ms, price, market_cap, volume, fetched_ms FROM settled_prices "
    "WHERE coin_id = ? AND ts_ms <= ? ORDER BY ts_ms DESC LIMIT 1"
)
_LAST_RECENT: Final = (
    "SELECT coin_id, ts_ms, price, market_cap, volume, fetched_ms "
    "FROM recent_minutes m CROSS JOIN recent_prices r ON r.minute = m.minute "
    "WHERE coin_id = ? AND ts_ms <= ? AND m.minute <= ? ORDER BY m.minute DESC, ts_ms DESC LIMIT 1"
)
_RANGE: Final = (
    "SELECT ts_ms, price FROM settled_prices WHERE coin_id = ?1 AND ts_ms BETWEEN ?2 AND ?3 UNION ALL "
    "SELECT ts_ms, price FROM recent_minutes m CROSS JOIN recent_prices r ON r.minute = m.minute "
    "WHERE coin_id = ?1 AND ts_ms BETWEEN ?2 AND ?3 AND m.minute BETWEEN ?4 AND ?5 ORDER BY ts_ms"
)
_BROKEN: Final = "broken page"
_UNREADABLE: Final = re.compile(r"unable to get the page\. error code=(\d+)")


def latest_prices(connection: sqlite3.Connection) -> dict[str, Price]:
    """The newest price of each tracked coin."""
    coins = [row[0] for row in connection.execute("SELECT id FROM coins WHERE tracked = 1")]
    rows = (last_price(connection, coin_id) for coin_id in coins)
    return {row.coin_id: row for row in rows if row is not None}


def last_price(connection: sqlite3.Connection, coin_id: str, until_ms: int = FOREVER_MS) -> Price | None:
    """The last price of a coin at or before `until_ms`, or None.

    Recent prices are looked at first: one that settles in between is seen twice, and not missed.
    """
    recent = connection.execute(_LAST_RECENT, (coin_id, until_ms, _last_minute(until_ms))).fetchone()
    settled = connection.execute(_LAST_SETTLED, (coin_id, until_ms)).fetchone()
    last = max((row for row in (recent, settled) if row is not None), key=itemgetter(1), default=None)
    return None if last is None else Price(*last)


def _last_minute(ts_ms: int) -> int:
    """The last minute under which a price with this event time may wait."""
    return ts_ms // MINUTE_MS + LATE_MINUTES


def first_ms(connection: sqlite3.Connection, coin_id: str) -> int | None:
    """Event time of the oldest price of one coin, or None without prices."""
    row = connection.execute("SELECT ts_ms FROM prices WHERE coin_id = ? ORDER BY ts_ms LIMIT 1", (coin_id,)).fetchone()
    return None if row is None else int(row[0])


def price_range(
    connection: sqlite3.Connection, coin_id: str, start_ms: int, end_ms: int | None
) -> list[tuple[int, float]]:
    """Event times and prices of one coin within [start_ms, end_ms], in order."""
    last_ms = FOREVER_MS if end_ms is None else end_ms
    minutes = (start_ms // MINUTE_MS, _last_minute(last_ms))
    return connection.execute(_RANGE, (coin_id, start_ms, last_ms, *minutes)).fetchall()


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
