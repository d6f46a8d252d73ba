"""The pool reuses connections, lends each to one thread, and notices a replaced database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from core.errors import NotReady
from core.price_store import Coin, Price, PriceWriter
from core.price_store.sqlite.pool import PricePool


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A store with one coin and one price."""
    path = tmp_path / "crypto.db"
    with PriceWriter(path) as writer:
        writer.update_coins([Coin("bitcoin", "btc", "Bitcoin", 1, 1)])
        writer.store([Price("bitcoin", 1000, 1.0)])
    return path


@pytest.fixture
def pool() -> Iterator[PricePool]:
    """A pool that is closed after the test."""
    made = PricePool()
    yield made
    made.close()


def _open_files(path: Path) -> int:
    return sum(Path(file.path) == path for file in psutil.Process().open_files())


def test_a_connection_is_used_again(pool: PricePool, database: Path) -> None:
    """Borrowing twice in turn gives one connection, twice at once two; closing leaves none open."""
    with pool.borrow(database) as first:
        pass
    with pool.borrow(database) as again, pool.borrow(database) as second:
        assert again is first
        assert second is not first
    assert _open_files(database) == 2
    pool.close()
    assert _open_files(database) == 0


def test_a_connection_that_failed_is_not_lent_again(pool: PricePool, database: Path) -> None:
    """After an error the connection is closed, and the next borrower gets a new one."""
    with pytest.raises(RuntimeError, match="boom"), pool.borrow(database) as broken:
        raise RuntimeError("boom")
    with pool.borrow(database) as fresh:
        assert fresh is not broken
    assert _open_files(database) == 1


def test_the_version_changes_only_with_commits(pool: PricePool, database: Path) -> None:
    """Reading does not change it, a commit does; a missing database is not ready."""
    first = pool.version(database)
    assert pool.version(database) == first
    with PriceWriter(database) as writer:
        writer.store([Price("bitcoin", 2000, 2.0)])
    assert pool.version(database) != first
    with pytest.raises(NotReady):
        pool.version(database.with_name("other.db"))


def test_a_replaced_database_is_followed(pool: PricePool, database: Path, tmp_path: Path) -> None:
    """A new file has a new version and other prices, and old connections are closed."""
    with pool.borrow(database) as reader:
        assert reader.latest()["bitcoin"].price == 1.0
    before = pool.version(database)
    other = tmp_path / "new" / "crypto.db"
    with PriceWriter(other) as writer:
        writer.update_coins([Coin("bitcoin", "btc", "Bitcoin", 1, 1)])
        writer.store([Price("bitcoin", 1000, 9.0)])
    other.replace(database)
    assert pool.version(database) != before
    with pool.borrow(database) as reader:
        assert reader.latest()["bitcoin"].price == 9.0
    assert _open_files(database) == 2
