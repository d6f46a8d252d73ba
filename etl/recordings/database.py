"""Recordings in a price store of the project, whether or not its collector is running."""

from __future__ import annotations

import itertools
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from core.errors import BadInput
from core.wording import message
from etl.recordings.limits import MOST_COINS, most_rows, too_costly, too_many_rows
from etl.recordings.recorded_rows import RecordedRows

__all__ = ["read_database"]

_COLUMNS: Final = {"time": "ts_ms", "coin": "coin_id", "price": "price", "volume": "volume"}
_ROW: Final = np.dtype([("ts_ms", np.int64), ("price", np.float64), ("volume", np.float64)])
_UNKNOWN_VOLUME: Final = -1.0
_MOST_TEXT: Final = 65_536
"""Bytes of a value, or of the definition of a table."""
_MOST_ID: Final = 100
_STEPS: Final = 1_000_000
_MOST_STEPS: Final = 20_000
"""A query of the file's own making may not end: a hundred steps of SQLite for each row that can be read at all."""


def read_database(path: Path) -> RecordedRows:
    """Read the prices of every coin, one coin at a time: only arrays are held in memory, 24 bytes a row.

    Raises:
        BadInput: the file is damaged, is no price store, or reading it would cost too much.
    """
    try:
        with closing(_open(path)) as connection:
            ids = _ids(path, connection)
            parts = _parts(path, connection, ids)
            currency = connection.execute("SELECT value FROM meta WHERE key = 'currency'").fetchone()
    except (sqlite3.Error, TypeError, ValueError) as error:
        if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_INTERRUPT:
            raise too_costly(path, message("recording.too_slow")) from error
        raise BadInput(message("recording.not_database", file=path.name, reason=str(error))) from error
    rows = np.concatenate([np.empty(0, _ROW), *parts])
    return RecordedRows(
        number=np.arange(1, len(rows) + 1),
        ts_ms=rows["ts_ms"],
        coin=np.repeat(np.arange(len(ids)), [len(part) for part in parts]),
        ids=ids,
        price=rows["price"],
        volume=np.where(rows["volume"] == _UNKNOWN_VOLUME, np.nan, rows["volume"]),
        columns=dict(_COLUMNS),
        daily_volume=True,
        currency=str(currency[0]) if currency else "usd",
    )


def _open(path: Path) -> sqlite3.Connection:
    """Open a file that may come from anybody: what it defines itself may call no function and must end."""
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MOST_TEXT)
    steps = itertools.count()
    connection.set_progress_handler(lambda: next(steps) > _MOST_STEPS, _STEPS)
    connection.execute("PRAGMA trusted_schema = OFF")
    return connection


def _ids(path: Path, connection: sqlite3.Connection) -> list[str]:
    query = "SELECT DISTINCT coin_id FROM prices ORDER BY coin_id LIMIT ?"
    ids: list[str] = []
    for (coin_id,) in connection.execute(query, (MOST_COINS + 1,)):
        ids.append(str(coin_id))
        if len(ids[-1]) > _MOST_ID:
            raise ValueError(f"coin_id: {len(ids[-1])} characters")
    if len(ids) > MOST_COINS:
        raise too_costly(path, message("recording.too_many_coins", most=MOST_COINS))
    return ids


def _parts(path: Path, connection: sqlite3.Connection, ids: list[str]) -> list[npt.NDArray[np.void]]:
    """The rows of each coin, by time."""
    query = "SELECT ts_ms, price, coalesce(volume, ?) FROM prices WHERE coin_id = ? ORDER BY ts_ms"
    parts, left = [], (most := most_rows())
    for coin_id in ids:
        rows = itertools.islice(connection.execute(query, (_UNKNOWN_VOLUME, coin_id)), left + 1)
        parts.append(np.fromiter(rows, _ROW))
        if not len(parts[-1]):
            raise ValueError(f"coin_id {coin_id!r}: not found again")
        left -= len(parts[-1])
        if left < 0:
            raise too_many_rows(path, most)
    return parts
