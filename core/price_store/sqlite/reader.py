"""The reading side of the price store."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self

from core.errors import NotReady
from core.price_store.rows import Coin, Price
from core.price_store.sqlite.queries import first_ms, last_price, latest_prices, price_range, quick_check, reading
from core.price_store.sqlite.schema import check_version
from core.times import GRID_STEP_MS
from core.wording import message

__all__ = ["SqliteReader"]

_BATCH_ROWS: Final = 1000

_NEWEST: Final = (
    "SELECT ts_ms, price, market_cap, volume, fetched_ms FROM prices "
    "WHERE coin_id = ? AND ts_ms BETWEEN ? AND ? ORDER BY ts_ms DESC LIMIT ?"
)
_DETAILS: Final = ", market_cap, volume, fetched_ms"


class SqliteReader:
    """A PriceReader of a file; never creates, locks or changes the database.

    Raises:
        NotReady: the database does not exist or is being created.
        DamagedFile: it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._inode = path.stat().st_ino
        except FileNotFoundError as error:
            raise NotReady(message("prices.none_stored")) from error
        with reading():
            self._connection = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, check_same_thread=False
            )
            try:
                self._connection.execute("PRAGMA query_only = 1")
                version = check_version(self._connection)
            except BaseException:
                self._connection.close()
                raise
            if version == 0:
                self._connection.close()
                raise NotReady(message("prices.store_starting"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; safe to call twice."""
        self._connection.close()

    def is_current(self) -> bool:
        """Whether the path still leads to the open file; a damaged database is replaced by a new file."""
        try:
            return self._path.stat().st_ino == self._inode
        except OSError:
            return False

    @property
    def identity(self) -> tuple[Path, int]:
        """Path and inode of the database."""
        return self._path, self._inode

    def revision(self, coin_id: str) -> int:
        """A number that grows when prices older than the newest one were stored; 0 for an unknown coin."""
        with reading():
            row = self._connection.execute("SELECT revision FROM coins WHERE id = ?", (coin_id,)).fetchone()
        return 0 if row is None else int(row[0])

    def check(self) -> None:
        """Read every page, which takes about a second per 100 MB.

        Raises:
            DamagedFile: a page is damaged.
        """
        with reading():
            quick_check(self._connection)

    def data_version(self) -> int:
        """A number that changes when another process has committed; costs microseconds."""
        with reading():
            return int(self._connection.execute("PRAGMA data_version").fetchone()[0])

    def coins(self) -> list[Coin]:
        """The coins collected now, by rank."""
        with reading():
            rows = self._connection.execute(
                "SELECT id, symbol, name, rank, updated, revision FROM coins WHERE tracked = 1 "
                "ORDER BY rank IS NULL, rank, id"
            ).fetchall()
        return [Coin(*row) for row in rows]

    def known_coins(self) -> list[Coin]:
        """All coins that were ever collected, by id."""
        with reading():
            rows = self._connection.execute(
                "SELECT id, symbol, name, rank, updated, revision FROM coins ORDER BY id"
            ).fetchall()
        return [Coin(*row) for row in rows]

    def latest(self) -> dict[str, Price]:
        """The newest price of each tracked coin."""
        with reading():
            return latest_prices(self._connection)

    def as_of(self, coin_id: str, ts_ms: int) -> tuple[int, float] | None:
        """Event time and price of the last price at or before `ts_ms`, or None."""
        return self.as_of_each([(coin_id, ts_ms)])[0]

    def as_of_each(self, moments: Sequence[tuple[str, int]]) -> list[tuple[int, float] | None]:
        """The same for each coin and moment; the file answers each in microseconds."""
        with reading():
            rows = [last_price(self._connection, coin_id, ts_ms) for coin_id, ts_ms in moments]
        return [None if row is None else (row.ts_ms, row.price) for row in rows]

    def nearest(self, moments: Sequence[tuple[str, int]], tolerance_ms: int) -> list[tuple[int, float] | None]:
        """For each coin and moment the price nearest to it, or None if none is within the tolerance of it."""
        found: list[tuple[int, float] | None] = []
        for coin_id, ts_ms in moments:
            near = self.range(coin_id, ts_ms - tolerance_ms, ts_ms + tolerance_ms)
            found.append(min(near, key=lambda row: abs(row[0] - ts_ms), default=None))
        return found

    def since(self, start_ms: Mapping[str, int], end_ms: int | None = None) -> dict[str, list[tuple[int, float]]]:
        """Event times and prices of many coins, each from its own start to one end, in order; of those with any."""
        return {coin_id: rows for coin_id, start in start_ms.items() if (rows := self.range(coin_id, start, end_ms))}

    def range(self, coin_id: str, start_ms: int = 0, end_ms: int | None = None) -> list[tuple[int, float]]:
        """Event times and prices of one coin within [start_ms, end_ms], in order."""
        with reading():
            return price_range(self._connection, coin_id, start_ms, end_ms)

    def thinned(self, coin_id: str, start_ms: int, end_ms: int) -> list[tuple[int, float]]:
        """The last price of each 5-minute interval that ends on the grid, within [start_ms, end_ms), in order."""
        with reading():
            return self._connection.execute(
                "SELECT max(ts_ms), price FROM prices WHERE coin_id = ? AND ts_ms >= ? AND ts_ms < ? "
                "GROUP BY (ts_ms + ?) / ? ORDER BY 1",
                (coin_id, start_ms, end_ms, GRID_STEP_MS - 1, GRID_STEP_MS),
            ).fetchall()

    def newest(self, coin_id: str, start_ms: int, end_ms: int, limit: int) -> list[Price]:
        """At most `limit` prices of one coin within [start_ms, end_ms], newest first."""
        batches = self.batches(coin_id, start_ms, end_ms, limit)
        return [Price(coin_id, *row) for batch in batches for row in batch]

    def batches(
        self, coin_id: str, start_ms: int, end_ms: int, limit: int, *, ascending: bool = False, bare: bool = False
    ) -> Iterator[list[tuple[Any, ...]]]:
        """The same as rows (event time, price, market cap, volume, fetch time), a thousand at a time.

        Ascending, they are the oldest ones, oldest first; bare, they have event time and price alone. Between two
        batches other threads run; take all of them at once, for the writer waits for open queries.
        """
        with reading():
            query = _NEWEST.replace("DESC", "ASC") if ascending else _NEWEST
            query = query.replace(_DETAILS, "") if bare else query
            cursor = self._connection.execute(query, (coin_id, start_ms, end_ms, limit))
            while rows := cursor.fetchmany(_BATCH_ROWS):
                yield rows

    def count(self, coin_id: str, start_ms: int, end_ms: int) -> int:
        """Number of prices of one coin within [start_ms, end_ms]."""
        with reading():
            row = self._connection.execute(
                "SELECT count(*) FROM prices WHERE coin_id = ? AND ts_ms BETWEEN ? AND ?", (coin_id, start_ms, end_ms)
            ).fetchone()
        return int(row[0])

    def first_ms(self, coin_id: str) -> int | None:
        """Event time of the oldest price of one coin, or None without prices."""
        with reading():
            return first_ms(self._connection, coin_id)

    def hourly(self, coin_id: str) -> list[tuple[int, float]]:
        """The hourly prices fetched at the first start, in order."""
        with reading():
            return self._connection.execute(
                "SELECT ts_ms, price FROM hourly WHERE coin_id = ? ORDER BY ts_ms", (coin_id,)
            ).fetchall()

    def meta(self) -> dict[str, str]:
        """All values of the table `meta`."""
        with reading():
            return dict(self._connection.execute("SELECT key, value FROM meta").fetchall())
