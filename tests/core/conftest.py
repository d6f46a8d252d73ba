"""The tests of the price store run against both kinds of store: a file, and a schema on a real server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.store_address import StoreAddress
from tests.support.postgres import PostgresServer, server_or_skip


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server for all tests of this process."""
    with server_or_skip() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgres"], scope="session")
def new_store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], StoreAddress]:
    """Makes addresses of stores that do not exist yet."""
    if request.param == "sqlite":
        return lambda: tmp_path_factory.mktemp("store") / "crypto.db"
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.address


@pytest.fixture
def address(new_store: Callable[[], StoreAddress]) -> StoreAddress:
    """A store that does not exist yet."""
    return new_store()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file that does not exist yet, for what only SQLite does."""
    return tmp_path / "crypto.db"
