"""Schema of alerts.db, and errors of SQLite as errors of this project."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from core.errors import ConfigurationError, DamagedFile, StorageProblem
from core.files import make_folder
from core.wording import message

__all__ = ["open_database", "transaction", "translated_errors"]

_VERSION: Final = 1
_BUSY_MS: Final = 10_000

_TABLES: Final = (
    """CREATE TABLE rules (
        number INTEGER PRIMARY KEY,
        body TEXT NOT NULL,
        created_ms INTEGER NOT NULL,
        is_on INTEGER NOT NULL DEFAULT 1
    ) STRICT""",
    """CREATE TABLE episodes (
        rule TEXT NOT NULL,
        subject TEXT NOT NULL,
        side INTEGER NOT NULL,
        told INTEGER NOT NULL,
        since_ms INTEGER NOT NULL,
        told_ms INTEGER NOT NULL,
        PRIMARY KEY (rule, subject)
    ) STRICT, WITHOUT ROWID""",
    "CREATE TABLE cursors (coin TEXT PRIMARY KEY, at_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID",
    """CREATE TABLE alerts (
        key TEXT PRIMARY KEY,
        rule TEXT NOT NULL,
        recorded_ms INTEGER NOT NULL,
        held_until_ms INTEGER,
        body TEXT NOT NULL
    ) STRICT""",
    "CREATE INDEX alerts_by_time ON alerts (recorded_ms)",
    "CREATE INDEX alerts_held ON alerts (held_until_ms) WHERE held_until_ms IS NOT NULL",
    """CREATE TABLE deliveries (
        id INTEGER PRIMARY KEY,
        alert TEXT NOT NULL REFERENCES alerts (key) ON DELETE CASCADE,
        channel TEXT NOT NULL,
        state TEXT NOT NULL DEFAULT 'due',
        due_ms INTEGER NOT NULL,
        attempts INTEGER NOT NULL DEFAULT 0,
        first_tried_ms INTEGER,
        reason TEXT,
        done_ms INTEGER,
        UNIQUE (alert, channel)
    ) STRICT""",
    "CREATE INDEX deliveries_due ON deliveries (due_ms) WHERE state = 'due'",
)


def open_database(path: Path) -> sqlite3.Connection:
    """Open alerts.db, and create it on first use. For one thread at a time.

    Raises:
        ConfigurationError: a newer release wrote it.
        DamagedFile: it is not a database any more.
        StorageProblem: the disk refuses.
    """
    with translated_errors():
        make_folder(path.parent)
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            connection.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            _create(connection)
        except BaseException:
            connection.close()
            raise
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """One transaction that is on the disk when the block has ended, or has not happened."""
    with translated_errors():
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


@contextmanager
def translated_errors() -> Iterator[None]:
    """Turn errors of SQLite into DamagedFile or, if the disk refuses now, StorageProblem."""
    try:
        yield
    except UnicodeDecodeError as error:  # of a message that quotes damaged bytes
        raise DamagedFile(f"alerts.db: {error}") from error
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        kind = DamagedFile if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB) else StorageProblem
        raise kind(f"alerts.db: {error}") from error
    except OSError as error:
        raise StorageProblem(f"alerts.db: {error.strerror or error}") from error


def _create(connection: sqlite3.Connection) -> None:
    if _version(connection) == _VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        if _version(connection) == 0:  # another process may have created it meanwhile
            for table in _TABLES:
                connection.execute(table)
            connection.execute(f"PRAGMA user_version = {_VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _version(connection: sqlite3.Connection) -> int:
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > _VERSION:
        raise ConfigurationError(message("alert.store.newer_schema", found=version, known=_VERSION))
    return version
