"""The writing side of the price store on a server: one connection, which holds the lease."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Self

import psycopg
from psycopg.errors import ReadOnlySqlTransaction

from core.price_rules import is_price
from core.price_store.postgres.batches import add_prices, count_prices
from core.price_store.postgres.commits import Commits
from core.price_store.postgres.connection import (
    Connection,
    check_encoding,
    connect,
    prepare_writing,
    user_of,
    writing,
)
from core.price_store.postgres.lease import Lease
from core.price_store.postgres.partitions import Partitions
from core.price_store.postgres.queries import LATEST, RANGE, as_rows
from core.price_store.postgres.schema import grant_reading, migrate
from core.price_store.rows import Coin, Price, valid_prices
from core.store_address import ServerAddress
from core.times import FOREVER_MS, now_ms

__all__ = ["PostgresWriter"]

_PING_EVERY_S: Final = 4.0
_PING_PATIENCE_S: Final = 5.0

_log = logging.getLogger(__name__)


class PostgresWriter:
    """The PriceWriter of a schema; opening it takes the lease, creates the schema and migrates it.

    A connection that broke is opened again by the next call, which takes the lease again: so a collector that lost it
    cannot write. A thread pings the server, which ends the session of a collector that is silent for 15 seconds.

    Raises:
        StandingBy: another collector writes.
        StorageProblem: the server does not answer.
        ConfigurationError: a newer release wrote the schema, the role may not do this, or the database cannot store
            every name.
    """

    set_aside_as: Path | None = None
    is_checked = True

    def __init__(self, address: ServerAddress) -> None:
        self._address = address
        self._lease = Lease(address.schema)
        self._partitions = Partitions()
        self._newest: dict[str, int] = {}
        self._commits = Commits()
        self._busy = threading.RLock()
        self._closed = threading.Event()
        self._connection: Connection | None = None
        with self._connected():
            pass
        threading.Thread(target=self._ping, name="lease", daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection and release the lease; safe to call twice."""
        self._closed.set()
        with self._busy:
            self._drop()

    def renew(self) -> None:
        """Connect again; damage is the server's own affair."""
        with self._busy:
            self._drop()
            with self._connected():
                pass

    def verify(self, *, whole: bool = False) -> None:  # noqa: ARG002 - the server checks its files itself
        """Ask the server for a sign of life; may be called from any thread."""
        with self._connected() as connection:
            connection.execute("SELECT 1")

    def store(self, prices: Iterable[Price], *, clock_ms: int | None = None) -> int:
        """Store valid prices, one per coin and event time; the first one stays.

        Args:
            prices: in any order.
            clock_ms: the source's clock, if known; this machine's may be an hour off.

        Returns:
            The number of new prices.
        """
        first: dict[tuple[str, int], Price] = {}
        for price in valid_prices(prices, clock_ms):
            first.setdefault((price.coin_id, price.ts_ms), price)
        rows = list(first.values())
        if not rows:
            return 0
        coins = {row.coin_id for row in rows}
        with self._transaction() as connection:
            newest = self._newest_of(connection, coins)
            self._partitions.cover(connection, (row.ts_ms for row in rows))
            added = add_prices(connection, rows)
            count_prices(connection, len(added))
            if repaired := {coin_id for coin_id, ts_ms in added if ts_ms < newest[coin_id]}:
                connection.execute("UPDATE coins SET revision = revision + 1 WHERE id = ANY(%s)", (sorted(repaired),))
        for row in rows:
            self._newest[row.coin_id] = max(self._newest[row.coin_id], row.ts_ms)
        return len(added)

    def store_hourly(self, coin_id: str, prices: Iterable[tuple[int, float]]) -> None:
        """Replace the hourly prices (event time in ms, price) of one coin."""
        rows = [(ts_ms, float(price)) for ts_ms, price in prices if is_price(price)]
        times, values = [ts_ms for ts_ms, _ in rows], [price for _, price in rows]
        with self._transaction() as connection:
            connection.execute("DELETE FROM hourly WHERE coin_id = %s", (coin_id,))
            connection.execute(
                "INSERT INTO hourly SELECT %s, * FROM unnest(%s::bigint[], %s::float8[]) ON CONFLICT DO NOTHING",
                (coin_id, times, values),
            )

    def update_coins(self, coins: Iterable[Coin]) -> None:
        """Insert or update coins; their revisions stay."""
        rows = [(coin.id, _text(coin.symbol.lower()), _text(coin.name), coin.rank, coin.updated) for coin in coins]
        with self._transaction() as connection, connection.cursor() as cursor:
            cursor.executemany(
                """INSERT INTO coins (id, symbol, name, rank, updated) VALUES (%s, %s, %s, %s, %s)
                ON CONFLICT (id) DO UPDATE SET symbol = excluded.symbol, name = excluded.name,
                    rank = excluded.rank, updated = excluded.updated""",
                rows,
            )

    def track(self, coin_ids: Iterable[str]) -> None:
        """Mark which coins are collected now; the others keep their prices but are hidden."""
        with self._transaction() as connection:
            connection.execute(
                "UPDATE coins SET tracked = (id = ANY(%(wanted)s)) WHERE tracked <> (id = ANY(%(wanted)s))",
                {"wanted": list(coin_ids)},
            )

    def meta(self, key: str) -> str | None:
        """The value of `key` in the table `meta`, or None."""
        with self._connected() as connection:
            row = connection.execute("SELECT value FROM meta WHERE key = %s", (key,)).fetchone()
        return None if row is None else str(row[0])

    def set_meta(self, values: Mapping[str, str]) -> None:
        """Set values in the table `meta`, which survive restarts."""
        with self._transaction() as connection, connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO meta VALUES (%s, %s) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                [(key, _text(value)) for key, value in values.items()],
            )

    def latest(self) -> dict[str, Price]:
        """The newest price of each tracked coin."""
        with self._connected() as connection:
            return {row[0]: Price(*row) for row in as_rows(connection, LATEST)}

    def recent(self, coin_id: str, since_ms: int) -> list[tuple[int, float]]:
        """Event times and prices of one coin from `since_ms` on, in order."""
        with self._connected() as connection:
            return [(ts_ms, price) for ts_ms, price in as_rows(connection, RANGE, (coin_id, since_ms, FOREVER_MS))]

    def oldest_ms(self, coin_id: str) -> int | None:
        """Event time of the oldest price of one coin, or None."""
        with self._connected() as connection:
            row = connection.execute(
                "SELECT ts_ms FROM prices WHERE coin_id = %s ORDER BY ts_ms LIMIT 1", (coin_id,)
            ).fetchone()
        return None if row is None else int(row[0])

    def coin_ids(self) -> list[str]:
        """All known coins, whether they are collected now or not."""
        with self._connected() as connection:
            return [row[0] for row in connection.execute("SELECT id FROM coins ORDER BY id")]

    def thin(self, coin_id: str, start_ms: int, end_ms: int, bar_ms: int) -> int:
        """Delete all but the last price of each bar of one coin within [start_ms, end_ms); return how many.

        Bars of `bar_ms` end on the grid, so the price as of a grid point does not change.
        """
        span = (coin_id, start_ms, end_ms)
        with self._transaction() as connection:
            gone = connection.execute(
                """DELETE FROM prices WHERE coin_id = %s AND ts_ms >= %s AND ts_ms < %s AND ts_ms NOT IN (
                    SELECT max(ts_ms) FROM prices WHERE coin_id = %s AND ts_ms >= %s AND ts_ms < %s
                    GROUP BY (ts_ms + %s) / %s)""",
                (*span, *span, bar_ms - 1, bar_ms),
            ).rowcount
            count_prices(connection, -gone)
        return gone

    def maintain(self) -> None:
        """Make the partitions of the next days."""
        with self._transaction() as connection:
            self._partitions.cover_ahead(connection, now_ms())

    def _newest_of(self, connection: Connection, coins: set[str]) -> Mapping[str, int]:
        """Event times of the newest prices, 0 without any; nobody else writes, so they are asked for once."""
        if unknown := sorted(coins - self._newest.keys()):
            rows = as_rows(
                connection,
                "SELECT m.coin_id, p.ts_ms FROM unnest(%s::text[]) AS m (coin_id) LEFT JOIN LATERAL "
                "(SELECT ts_ms FROM prices WHERE coin_id = m.coin_id ORDER BY ts_ms DESC LIMIT 1) p ON true",
                (unknown,),
            )
            self._newest |= {coin_id: ts_ms or 0 for coin_id, ts_ms in rows}
        return self._newest

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        """A transaction that counts as a commit for readers.

        Raises:
            StoreChanged: somebody else has written since this writer's last commit; nothing is stored.
        """
        with self._connected() as connection:
            try:
                with connection.transaction():
                    yield connection
                    number = self._commits.count(connection)
                self._commits.made(number)
            except BaseException:
                self._newest.clear()
                if not connection.closed:
                    self._partitions.load(connection)
                raise

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        """The connection that holds the lease, opened again if it broke; for one thread at a time.

        One to a server that cannot be written to is closed: after a fail-over the next may lead to another server.
        """
        with self._busy, writing(self._address):
            if self._connection is None or self._connection.closed:
                self._drop()
                self._connection = self._open()
            try:
                yield self._connection
            except ReadOnlySqlTransaction:
                self._drop()
                raise

    def _open(self) -> Connection:
        connection = connect(self._address.url)
        try:
            check_encoding(connection)
            prepare_writing(connection, self._address.schema)
            self._lease.take(connection)
            migrate(connection, self._address.schema)
            self._partitions.load(connection)
            reader = user_of(self._address.read_url) if self._address.read_url else None
            if reader is not None and reader != connection.info.user:
                grant_reading(connection, self._address.schema, reader)
        except BaseException:
            connection.close()
            raise
        return connection

    def _drop(self) -> None:
        self._newest.clear()
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _ping(self) -> None:
        """Tell the server every few seconds that this process lives; a broken connection is left to the next call."""
        while not self._closed.wait(_PING_EVERY_S):
            with self._busy:
                connection = self._connection
                if connection is None or connection.closed:
                    continue
                usual, connection.patience_s = connection.patience_s, _PING_PATIENCE_S
                with suppress(psycopg.Error):  # it shows as a closed connection
                    connection.execute("SELECT 1")
                connection.patience_s = usual


def _text(text: str) -> str:
    """The text without the one character that the server does not store."""
    return text.replace("\0", "")
