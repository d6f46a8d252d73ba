"""Recordings in a price store of the project, whether or not its collector is running."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from core.errors import BadInput
from core.wording import message
from etl.recordings.recorded_rows import RecordedRows

__all__ = ["read_database"]

_COLUMNS: Final = {"time": "ts_ms", "coin": "coin_id", "price": "price", "volume": "volume"}
_ROW: Final = np.dtype([("ts_ms", np.int64), ("price", np.float64), ("volume", np.float64)])
_UNKNOWN_VOLUME: Final = -1.0


def read_database(path: Path) -> RecordedRows:
    """Read the prices of every coin, one coin at a time: only arrays are held in memory, 24 bytes a row.

    Raises:
        BadInput: the file is damaged or is no price store.
    """
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            ids = [str(row[0]) for row in connection.execute("SELECT DISTINCT coin_id FROM prices ORDER BY coin_id")]
            parts = [_prices_of(connection, coin_id) for coin_id in ids]
            currency = connection.execute("SELECT value FROM meta WHERE key = 'currency'").fetchone()
    except (sqlite3.Error, TypeError, ValueError) as error:
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
        currency=currency[0] if currency else "usd",
    )


def _prices_of(connection: sqlite3.Connection, coin_id: str) -> npt.NDArray[np.void]:
    query = "SELECT ts_ms, price, coalesce(volume, ?) FROM prices WHERE coin_id = ? ORDER BY ts_ms"
    return np.fromiter(connection.execute(query, (_UNKNOWN_VOLUME, coin_id)), _ROW)
