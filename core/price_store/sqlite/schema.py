"""Schema of crypto.db and its migrations."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final

from core.errors import ConfigurationError, DamagedFile
from core.price_store.sqlite.recent_prices import settle
from core.wording import message

__all__ = ["SCHEMA_VERSION", "check_version", "forget_statistics", "migrate", "refuse_foreign_schema"]

_UNIMPORTANT: Final = re.compile(r'[\s"]+')
_STATISTICS: Final = {
    "CREATETABLEsqlite_stat1(tbl,idx,stat)",
    "CREATETABLEsqlite_stat4(tbl,idx,neq,nlt,ndlt,sample)",
}
"""What SQLite defines itself, for `PRAGMA optimize` and `ANALYZE`."""

_FORGET: Final = (
    "DROP TABLE IF EXISTS sqlite_stat4",
    "DROP TABLE IF EXISTS sqlite_stat1",
    "ANALYZE sqlite_master",  # this connection has read them: it reads again, and leaves an empty table
    "DROP TABLE IF EXISTS sqlite_stat1",
)
"""What removes the query planner's statistics."""


def _create(connection: sqlite3.Connection) -> None:
    connection.execute(
        """
        CREATE TABLE prices (
            coin_id TEXT NOT NULL,
            ts_ms INTEGER NOT NULL CHECK (ts_ms > 0),
            price REAL NOT NULL CHECK (price > 0 AND price < 1e300),
            market_cap REAL,
            volume REAL,
            fetched_ms INTEGER NOT NULL,
            PRIMARY KEY (coin_id, ts_ms)
        ) STRICT, WITHOUT ROWID
        """
    )
    connection.execute(
        """
        CREATE TABLE hourly (
            coin_id TEXT NOT NULL,
            ts_ms INTEGER NOT NULL,
            price REAL NOT NULL CHECK (price > 0 AND price < 1e300),
            PRIMARY KEY (coin_id, ts_ms)
        ) STRICT, WITHOUT ROWID
        """
    )
    connection.execute(
        """
        CREATE TABLE coins (
            id TEXT PRIMARY KEY,
            symbol TEXT NOT NULL,
            name TEXT NOT NULL,
            rank INTEGER,
            updated INTEGER NOT NULL,
            tracked INTEGER NOT NULL DEFAULT 1,
            revision INTEGER NOT NULL DEFAULT 0
        ) STRICT, WITHOUT ROWID
        """
    )
    connection.execute("CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID")


def _put_recent_prices_apart(connection: sqlite3.Connection) -> None:
    """New prices come in by time and are kept by coin: the newest wait, by time, for `recent_prices.settle`.

    `prices` shows both. A price is in one of the two tables.
    """
    connection.execute("ALTER TABLE prices RENAME TO settled_prices")
    connection.execute("CREATE TABLE recent_minutes (minute INTEGER PRIMARY KEY) STRICT")
    connection.execute(
        """
        CREATE TABLE recent_prices (
            minute INTEGER NOT NULL,
            coin_id TEXT NOT NULL,
            ts_ms INTEGER NOT NULL CHECK (ts_ms > 0),
            price REAL NOT NULL CHECK (price > 0 AND price < 1e300),
            market_cap REAL,
            volume REAL,
            fetched_ms INTEGER NOT NULL,
            PRIMARY KEY (minute, coin_id, ts_ms)
        ) STRICT, WITHOUT ROWID
        """
    )
    connection.execute(
        """
        CREATE VIEW prices AS
        SELECT coin_id, ts_ms, price, market_cap, volume, fetched_ms FROM settled_prices
        UNION ALL
        SELECT coin_id, ts_ms, price, market_cap, volume, fetched_ms
        FROM recent_minutes m CROSS JOIN recent_prices r ON r.minute = m.minute
        """
    )


_STEPS: Final[tuple[Callable[[sqlite3.Connection], None], ...]] = (_create, _put_recent_prices_apart, settle)
"""The last one, because prices that wait must lie near the minute under which they wait."""
SCHEMA_VERSION: Final = len(_STEPS)


def check_version(connection: sqlite3.Connection) -> int:
    """Read the schema version of an open database.

    Raises:
        ConfigurationError: a newer release wrote it.
    """
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > SCHEMA_VERSION:
        raise ConfigurationError(message("prices.newer_schema", found=version, known=SCHEMA_VERSION))
    return version


def migrate(connection: sqlite3.Connection) -> None:
    """Migrate the database to the current schema in one transaction."""
    if check_version(connection) == SCHEMA_VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        for step in _STEPS[check_version(connection) :]:
            step(connection)
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def forget_statistics(connection: sqlite3.Connection) -> None:
    """Remove the query planner's statistics: they cost much and gain nothing.

    Each query finds its rows by a primary key. With statistics SQLite looks through all recent prices first, to build
    a Bloom filter, whenever the newest price of one coin is asked for.
    """
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name LIKE 'sqlite_stat%'").fetchone():
        for statement in _FORGET:
            connection.execute(statement)


def refuse_foreign_schema(path: Path) -> None:
    """Refuse a price store that defines anything that this project does not.

    A trigger, a view or a check of somebody else's would run, perhaps for ever, whenever the tables are used.

    Raises:
        DamagedFile: it does, or it is no database.
        ConfigurationError: a newer release wrote it.
    """
    try:
        with (
            closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as found,
            closing(sqlite3.connect(":memory:")) as own,
        ):
            for step in _STEPS[: check_version(found)]:
                step(own)
            foreign = _definitions(found) - _definitions(own) - _STATISTICS
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise DamagedFile(f"{path.name}: {error}") from error
    if foreign:
        raise DamagedFile(f"{path.name}: foreign definition {min(foreign)[:80]}")


def _definitions(connection: sqlite3.Connection) -> set[str]:
    """What a database defines, without spaces and quotes."""
    rows = connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")
    return {_UNIMPORTANT.sub("", sql) for (sql,) in rows}
