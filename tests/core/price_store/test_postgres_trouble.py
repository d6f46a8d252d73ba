"""A store on a server that is restored from a dump."""

from __future__ import annotations

from contextlib import closing

import psycopg
import pytest

from core.errors import NotReady, OutOfReach
from core.price_store import Coin, Price, PricePool, open_pool, open_reader, open_writer
from core.price_store.postgres.reader import PostgresReader
from core.price_store.postgres.watch import CommitWatch
from core.store_address import ServerAddress
from tests.support.postgres import PostgresServer
from tests.support.waiting import wait_until

BITCOIN = Coin("bitcoin", "btc", "Bitcoin", 1, 1)


@pytest.fixture
def address(postgres: PostgresServer) -> ServerAddress:
    """A schema with one coin and one price."""
    made = postgres.address()
    with open_writer(made) as writer:
        writer.update_coins([BITCOIN])
        writer.store([Price("bitcoin", 1, 1.0)])
    return made


def answers(pool: PricePool) -> bool:
    """Whether a pool tells a version and lends a connection now."""
    try:
        pool.version()
        with pool.borrow() as reader:
            return "bitcoin" in reader.latest()
    except NotReady:
        return False


def test_readers_wait_while_a_dump_loads(postgres: PostgresServer, address: ServerAddress) -> None:
    """Between its tables and its rows a pool and a reader find no prices yet; afterwards the same pool answers."""
    tables, rows, keys = postgres.dump(address.schema)
    with closing(open_pool(address)) as pool, open_reader(address) as reader:
        assert answers(pool)
        with psycopg.connect(postgres.url, autocommit=True) as connection:
            connection.execute(f"DROP SCHEMA {address.schema} CASCADE")
        postgres.load(tables)
        for ask in (reader.data_version, pool.version):
            with pytest.raises(NotReady, match="no prices are stored yet"):
                ask()
        assert pool.info().updated_ms is None
        postgres.load(rows)
        postgres.load(keys)
        wait_until(lambda: answers(pool), 10)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize(
    ("part", "method", "error"),
    [(PostgresReader, "data_version", RuntimeError), (CommitWatch, "_look", SystemExit)],
    ids=["an unknown error", "the end of its thread"],
)
def test_a_pool_survives_what_nobody_expected(
    address: ServerAddress, monkeypatch: pytest.MonkeyPatch, part: type, method: str, error: type[BaseException]
) -> None:
    """Meanwhile the server counts as out of reach; afterwards the pool answers again."""
    with closing(open_pool(address)) as pool:
        assert answers(pool)
        with monkeypatch.context() as patch:

            def fail(*_: object) -> None:
                raise error

            patch.setattr(part, method, fail)
            wait_until(lambda: not answers(pool), 10)
            with pytest.raises(OutOfReach):
                pool.version()
        wait_until(lambda: answers(pool), 10)
