"""The writing side of the price store: one connection, one lock."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Self

from core.aside import set_aside
from core.errors import DamagedFile
from core.files import database_logs, make_folder
from core.price_rules import is_price
from core.price_store.rows import PRICE_COUNT, Coin, Price, valid_prices
from core.price_store.sqlite.queries import (
    first_ms,
    is_damage,
    last_price,
    latest_prices,
    price_range,
    quick_check,
    writing,
)
from core.price_store.sqlite.reader import SqliteReader
from core.price_store.sqlite.recent_prices import add_prices, settle
from core.price_store.sqlite.schema import forget_statistics, migrate
from core.processes.lifecycle import hold_lock
from core.wording import message

__all__ = ["SqliteWriter"]

_MAX_CHECKED_BYTES: Final = 200_000_000
"""Files up to this size are checked when opened; larger ones by `verify(whole=True)` in another thread."""

_log = logging.getLogger(__name__)


class SqliteWriter:
    """The PriceWriter of a file; opening it takes the lock, sets a damaged database aside and migrates.

    Methods raise StorageProblem if the disk is full or cannot be written, and DamagedFile if the database is damaged:
    then `renew` replaces it. `is_checked` is False if the file was too large to be checked when it was opened.
    """

    def __init__(self, path: Path, *, max_checked_bytes: int = _MAX_CHECKED_BYTES) -> None:
        make_folder(path.parent)
        self.path = path
        self._max_checked_bytes = max_checked_bytes
        self.set_aside_as: Path | None = None
        self.is_checked = True
        self._lock = hold_lock(path.with_suffix(".lock"), message("lock.prices"))
        try:
            with writing():
                self._connection = self._open()
        except BaseException:
            self._lock.release()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection and release the lock; safe to call twice."""
        self._connection.close()
        self._lock.release()

    def renew(self) -> None:
        """Set a damaged database aside and create a new one.

        If the file was already replaced by another, open that one instead.
        """
        self._connection.close()
        with writing():
            if _inode(self.path) == self._file:
                self.set_aside_as = set_aside(self.path)
                _log.error(
                    "crypto.db was damaged while open: set aside as %s, created a new one", self.set_aside_as.name
                )
            else:
                for log in database_logs(self.path):  # they belong to the old file and would overwrite the new one
                    log.unlink(missing_ok=True)
            self._connection = self._open()

    def verify(self, *, whole: bool = False) -> None:
        """Check the file through a new reader, because the pages cached by this connection hide damage.

        May be called from any thread.

        Args:
            whole: read every page, which takes about a second per 100 MB.

        Raises:
            DamagedFile: the file is damaged, missing or replaced by another.
            NotReady, StorageProblem: it cannot be read now.
        """
        file = self._file
        with writing():
            if _inode(self.path) != file:
                raise DamagedFile("crypto.db: the file is gone")
            try:
                with SqliteReader(self.path) as reader:
                    reader.coins()
                    reader.latest()
                    if whole:
                        reader.check()
            except DamagedFile:
                if file == self._file:  # otherwise it was replaced during this check
                    raise

    def store(self, prices: Iterable[Price], *, clock_ms: int | None = None) -> int:
        """Store valid prices, one per coin and event time; the first one stays.

        Prices that are not finite and positive, or more than two minutes ahead of the clock, are skipped.

        Args:
            prices: in any order.
            clock_ms: the source's clock, if known; this machine's may be an hour off.

        Returns:
            The number of new prices.
        """
        rows = valid_prices(prices, clock_ms)
        with self._transaction() as connection:
            newest = {coin: self._newest(coin) for coin in {row.coin_id for row in rows}}
            added = add_prices(connection, rows, newest)
            _count(connection, len(added))
            repaired = {row.coin_id for row in added if row.ts_ms < newest[row.coin_id]}
            connection.executemany(
                "UPDATE coins SET revision = revision + 1 WHERE id = ?", [(coin,) for coin in sorted(repaired)]
            )
        return len(added)

    def store_hourly(self, coin_id: str, prices: Iterable[tuple[int, float]]) -> None:
        """Replace the hourly prices (event time in ms, price) of one coin."""
        rows = [(coin_id, ts_ms, price) for ts_ms, price in prices if is_price(price)]
        with self._transaction() as connection:
            connection.execute("DELETE FROM hourly WHERE coin_id = ?", (coin_id,))
            connection.executemany("INSERT INTO hourly VALUES (?,?,?) ON CONFLICT DO NOTHING", rows)

    def update_coins(self, coins: Iterable[Coin]) -> None:
        """Insert or update coins; their revisions stay."""
        with self._transaction() as connection:
            connection.executemany(
                """INSERT INTO coins (id, symbol, name, rank, updated) VALUES (?,?,?,?,?)
                ON CONFLICT (id) DO UPDATE SET symbol = excluded.symbol, name = excluded.name,
                    rank = excluded.rank, updated = excluded.updated""",
                [(coin.id, coin.symbol.lower(), coin.name, coin.rank, coin.updated) for coin in coins],
            )

    def track(self, coin_ids: Iterable[str]) -> None:
        """Mark which coins are collected now; the others keep their prices but are hidden."""
        wanted = list(coin_ids)
        with self._transaction() as connection:
            connection.execute("UPDATE coins SET tracked = 0")
            connection.executemany("UPDATE coins SET tracked = 1 WHERE id = ?", [(coin,) for coin in wanted])

    def meta(self, key: str) -> str | None:
        """The value of `key` in the table `meta`, or None."""
        with writing():
            row = self._connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def set_meta(self, values: Mapping[str, str]) -> None:
        """Set values in the table `meta`, which survive restarts."""
        with self._transaction() as connection:
            connection.executemany(
                "INSERT INTO meta VALUES (?,?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                list(values.items()),
            )

    def latest(self) -> dict[str, Price]:
        """The newest price of each tracked coin."""
        with writing():
            return latest_prices(self._connection)

    def recent(self, coin_id: str, since_ms: int) -> list[tuple[int, float]]:
        """Event times and prices of one coin from `since_ms` on, in order."""
        with writing():
            return price_range(self._connection, coin_id, since_ms, None)

    def oldest_ms(self, coin_id: str) -> int | None:
        """Event time of the oldest price of one coin, or None."""
        with writing():
            return first_ms(self._connection, coin_id)

    def coin_ids(self) -> list[str]:
        """All known coins, whether they are collected now or not."""
        with writing():
            return [row[0] for row in self._connection.execute("SELECT id FROM coins ORDER BY id")]

    def thin(self, coin_id: str, start_ms: int, end_ms: int, bar_ms: int) -> int:
        """Delete all but the last price of each bar of one coin within [start_ms, end_ms).

        Bars of `bar_ms` end on the grid, so the price as of a grid point does not change.

        Returns:
            The number of deleted prices.
        """
        span = (coin_id, start_ms, end_ms)
        with self._transaction() as connection:
            if connection.execute("SELECT 1 FROM recent_prices WHERE ts_ms < ? LIMIT 1", (end_ms,)).fetchone():
                settle(connection)
            gone = connection.execute(
                """DELETE FROM settled_prices WHERE coin_id = ? AND ts_ms >= ? AND ts_ms < ? AND ts_ms NOT IN (
                    SELECT max(ts_ms) FROM settled_prices WHERE coin_id = ? AND ts_ms >= ? AND ts_ms < ?
                    GROUP BY (ts_ms + ?) / ?)""",
                (*span, *span, bar_ms - 1, bar_ms),
            ).rowcount
            _count(connection, -gone)
        return gone

    def maintain(self) -> None:
        """Write the log back."""
        self.checkpoint()

    def checkpoint(self) -> tuple[int, int, int]:
        """Write the write-ahead log back into the database.

        Returns:
            Whether a reader blocked it (0 or 1), pages in the log, pages written back.
        """
        with writing():
            busy, log_pages, folded = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return int(busy), int(log_pages), int(folded)

    def _newest(self, coin_id: str) -> int:
        last = last_price(self._connection, coin_id)
        return 0 if last is None else last.ts_ms

    def _open(self) -> sqlite3.Connection:
        try:
            connection = _connect_for_writing(self.path, self._max_checked_bytes)
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            if not is_damage(error):
                raise
            self.set_aside_as = set_aside(self.path)
            _log.error("crypto.db is damaged (%s): set aside as %s, created a new one", error, self.set_aside_as.name)
            connection = _connect_for_writing(self.path, self._max_checked_bytes)
        self._file = _inode(self.path)
        self.is_checked = self.path.stat().st_size <= self._max_checked_bytes
        return connection

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with writing():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise


def _count(connection: sqlite3.Connection, change: int) -> None:
    """Update the stored number of prices; counting millions of rows takes seconds."""
    connection.execute(
        """INSERT INTO meta VALUES (?, ?) ON CONFLICT (key)
        DO UPDATE SET value = CAST(value AS INTEGER) + excluded.value""",
        (PRICE_COUNT, str(change)),
    )


def _connect_for_writing(path: Path, max_checked_bytes: int) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=5, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(
            "PRAGMA wal_autocheckpoint = 4000"
        )  # 16 MB: pages that change often are written back less often
        connection.execute("PRAGMA journal_size_limit = 67108864")
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute("PRAGMA secure_delete = OFF")  # Debian's SQLite would write each page that settling frees
        if path.stat().st_size <= max_checked_bytes:
            quick_check(connection)
        migrate(connection)
        forget_statistics(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _inode(path: Path) -> int | None:
    """The inode of the file at `path`, or None."""
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return None
