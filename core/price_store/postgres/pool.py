"""Read-only connections to a schema, shared by the threads of one process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import psycopg_pool

from core.errors import ConfigurationError, NotReady, OutOfReach
from core.price_store.postgres.connection import CONNECT_OPTIONS, Connection, prepare_reading
from core.price_store.postgres.reader import PostgresReader
from core.price_store.postgres.watch import CommitWatch
from core.price_store.rows import StoreInfo
from core.store_address import ServerAddress
from core.wording import message

__all__ = ["PostgresPool"]

_NAME: Final = "PostgreSQL"
_MAX_CONNECTIONS: Final = 8
_PATIENCE_S: Final = 3.0
_IDLE_S: Final = 60.0


class PostgresPool:
    """Lends at most eight connections at a time, and refuses at once while the server is known not to answer."""

    def __init__(self, address: ServerAddress) -> None:
        self._address = address
        self._lock = threading.Lock()
        self._pool: psycopg_pool.ConnectionPool[Connection] | None = None
        self._watch = CommitWatch(address, self._renew)

    @contextmanager
    def borrow(self) -> Iterator[PostgresReader]:
        """Lend a connection, for one thread at a time.

        Raises:
            NotReady: there is no schema yet; OutOfReach: the server does not answer.
            ConfigurationError: the schema cannot be read by this release or this role.
        """
        connections, _ = self._watch.version()
        pool = self._opened()
        try:
            connection = pool.getconn(_PATIENCE_S)
        except (psycopg_pool.PoolTimeout, psycopg_pool.PoolClosed) as error:
            raise OutOfReach(message("prices.out_of_reach")) from error
        try:
            yield PostgresReader(connection, connections)
        finally:
            pool.putconn(connection)

    def version(self) -> tuple[int, int]:
        """A value that changes with every commit to the schema; valid in this process only."""
        return self._watch.version()

    def info(self) -> StoreInfo:
        """Name, size and age of the schema; without a size if it cannot be read."""
        try:
            with self.borrow() as reader:
                size_bytes, changed_ms = reader.size(self._address.schema)
        except (NotReady, ConfigurationError):
            return StoreInfo(_NAME, 0, None)
        return StoreInfo(_NAME, size_bytes, changed_ms)

    def close(self) -> None:
        """Close idle connections; the pool can be used again."""
        self._watch.close()
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.close()

    def _opened(self) -> psycopg_pool.ConnectionPool[Connection]:
        with self._lock:
            if self._pool is None:
                self._pool = psycopg_pool.ConnectionPool(
                    (self._address.read_url or self._address.url).get_secret_value(),
                    connection_class=Connection,
                    kwargs=CONNECT_OPTIONS,
                    min_size=0,
                    max_size=_MAX_CONNECTIONS,
                    configure=lambda connection: prepare_reading(connection, self._address.schema),
                    max_idle=_IDLE_S,
                    reconnect_timeout=_PATIENCE_S,
                    num_workers=1,
                    open=True,
                )
            return self._pool

    def _renew(self) -> None:
        """Forget idle connections: they led to a server that has gone."""
        with self._lock:
            if self._pool is not None:
                self._pool.drain()
