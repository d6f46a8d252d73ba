"""Chooses the implementation of a price store by its address."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.errors import ConfigurationError
from core.price_store.protocols import PricePool, PriceReader, PriceWriter
from core.price_store.sqlite import pool, reader, writer
from core.store_address import StoreAddress
from core.wording import message

__all__ = ["open_pool", "open_reader", "open_writer"]


def open_reader(address: StoreAddress) -> PriceReader:
    """Open a read-only connection; it never creates, locks or changes the store.

    Raises:
        NotReady: the store does not exist or is being created; OutOfReach: its server does not answer.
        DamagedFile: it cannot be read.
        ConfigurationError: a newer release wrote it, or the server's driver is not installed.
    """
    if isinstance(address, Path):
        return reader.SqliteReader(address)
    with _driver():
        from core.price_store.postgres.reader import PostgresReader  # noqa: PLC0415 - its driver need not be installed
    return PostgresReader.open(address)


def open_writer(address: StoreAddress) -> PriceWriter:
    """Open the one writing connection; create or migrate the store.

    Raises:
        AlreadyRunning: another process of this machine writes to the file.
        StandingBy: another collector writes to the server.
        StorageProblem: the disk or the server refuses.
        ConfigurationError: a newer release wrote the store, or the server's driver is not installed.
    """
    if isinstance(address, Path):
        return writer.SqliteWriter(address)
    with _driver():
        from core.price_store.postgres.writer import PostgresWriter  # noqa: PLC0415 - as above
    return PostgresWriter(address)


def open_pool(address: StoreAddress) -> PricePool:
    """A pool of read-only connections; nothing is opened before they are asked for."""
    if isinstance(address, Path):
        return pool.SqlitePool(address)
    with _driver():
        from core.price_store.postgres.pool import PostgresPool  # noqa: PLC0415 - as above
    return PostgresPool(address)


@contextmanager
def _driver() -> Iterator[None]:
    """Say which packages are missing: the driver of PostgreSQL is an extra."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name not in ("psycopg", "psycopg_pool"):
            raise
        raise ConfigurationError(message("prices.no_driver")) from error
