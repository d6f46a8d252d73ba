"""The pool reuses connections, lends each to one thread, and notices a replaced database."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path

import psutil
import pytest

from core.errors import NotReady
from core.price_store import Coin, Price, open_pool, open_writer
from core.price_store.sqlite.pool import SqlitePool
from core.store_address import StoreAddress
from core.times import now_ms
from tests.support.waiting import wait_until


def _filled(address: StoreAddress) -> None:
    with open_writer(address) as writer:
        writer.update_coins([Coin("bitcoin", "btc", "Bitcoin", 1, 1)])
        writer.store([Price("bitcoin", 1000, 1.0)])


@pytest.fixture
def database(path: Path) -> Path:
    """A file with one coin and one price."""
    _filled(path)
    return path


@pytest.fixture
def store(address: StoreAddress) -> StoreAddress:
    """A store with one coin and one price."""
    _filled(address)
    return address


@pytest.fixture
def pool(database: Path) -> Iterator[SqlitePool]:
    """A pool that is closed after the test."""
    made = SqlitePool(database)
    yield made
    made.close()


def _open_files(path: Path) -> int:
    return sum(Path(file.path) == path for file in psutil.Process().open_files())


def test_a_connection_is_used_again(pool: SqlitePool, database: Path) -> None:
    """Borrowing twice in turn gives one connection, twice at once two; closing leaves none open."""
    with pool.borrow() as first:
        pass
    with pool.borrow() as again, pool.borrow() as second:
        assert again is first
        assert second is not first
    assert _open_files(database) == 2
    pool.close()
    assert _open_files(database) == 0


def test_connections_of_a_rush_are_closed_after_a_minute(
    pool: SqlitePool, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of three connections that were borrowed at once, the one still used a minute later stays open.

    Each has the log open; SQLite keeps the file itself for its next connection.
    """
    log = database.with_name(f"{database.name}-wal")
    with pool.borrow() as first, pool.borrow() as second, pool.borrow() as third:
        assert first.coins() == second.coins() == third.coins()
    assert _open_files(log) == 3
    monkeypatch.setattr(time, "monotonic", partial(lambda real: real() + 61.0, time.monotonic))
    with pool.borrow() as used:
        pass
    with pool.borrow() as again:
        assert again is used
    assert _open_files(log) == 1


def test_a_connection_that_failed_is_not_lent_again(pool: SqlitePool, database: Path) -> None:
    """After an error the connection is closed, and the next borrower gets a new one."""
    with pytest.raises(RuntimeError, match="boom"), pool.borrow() as broken:
        raise RuntimeError("boom")
    with pool.borrow() as fresh:
        assert fresh is not broken
    assert _open_files(database) == 1


def test_the_version_changes_only_with_commits(store: StoreAddress, new_store: Callable[[], StoreAddress]) -> None:
    """Reading does not change it, a commit does, within moments; a missing store is not ready."""
    with closing(open_pool(store)) as pool:
        first = pool.version()
        with pool.borrow() as reader:
            assert reader.latest()["bitcoin"].price == 1.0
        assert pool.version() == first
        with open_writer(store) as writer:
            writer.store([Price("bitcoin", 2000, 2.0)])
            wait_until(lambda: pool.version() != first)
    with closing(open_pool(new_store())) as pool, pytest.raises(NotReady):
        pool.version()


def test_every_thread_borrows_a_connection_of_its_own(store: StoreAddress) -> None:
    """Twelve threads at once read the same price, more than a server's pool has connections."""
    with closing(open_pool(store)) as pool, ThreadPoolExecutor(12) as threads:

        def read(_: int) -> float:
            with pool.borrow() as reader:
                return reader.latest()["bitcoin"].price

        assert set(threads.map(read, range(60))) == {1.0}


def test_a_pool_tells_name_size_and_age_of_its_store(
    store: StoreAddress, new_store: Callable[[], StoreAddress]
) -> None:
    """A store with a price has a size and changed just now; one that does not exist has neither."""
    before_ms = now_ms() - 60_000
    with closing(open_pool(store)) as pool:
        info = pool.info()
    assert info.size_bytes > 0
    assert info.updated_ms is not None
    assert info.updated_ms > before_ms
    with closing(open_pool(new_store())) as pool:
        assert pool.info() == (info.name, 0, None)


def test_a_replaced_database_is_followed(pool: SqlitePool, database: Path, tmp_path: Path) -> None:
    """A new file has a new version and other prices, and old connections are closed."""
    with pool.borrow() as reader:
        assert reader.latest()["bitcoin"].price == 1.0
    before = pool.version()
    other = tmp_path / "new" / "crypto.db"
    with open_writer(other) as writer:
        writer.update_coins([Coin("bitcoin", "btc", "Bitcoin", 1, 1)])
        writer.store([Price("bitcoin", 1000, 9.0)])
    other.replace(database)
    assert pool.version() != before
    with pool.borrow() as reader:
        assert reader.latest()["bitcoin"].price == 9.0
    assert _open_files(database) == 2
