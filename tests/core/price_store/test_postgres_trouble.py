"""A store on a server that is restored, has another encoding, or may not be written to for a while."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

import psycopg
import pytest
from pydantic import SecretStr

from core.errors import ConfigurationError, NotReady, OutOfReach, StorageProblem
from core.price_store import Coin, Price, PricePool, open_pool, open_reader, open_writer
from core.price_store.postgres.reader import PostgresReader
from core.price_store.postgres.watch import CommitWatch
from core.store_address import ServerAddress
from tests.support.postgres import PostgresServer, server_or_skip
from tests.support.refusals import refusal
from tests.support.tcp_proxy import TcpProxy
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


def with_encoding(postgres: PostgresServer, encoding: str) -> ServerAddress:
    """A schema that does not exist yet, in a database of its own."""
    name = f"named_in_{encoding.lower()}"
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0")
    return ServerAddress(SecretStr(f"{postgres.url.removesuffix('postgres')}{name}"), "live_usd")


def test_a_database_that_keeps_bytes_stores_every_name(postgres: PostgresServer) -> None:
    """In SQL_ASCII, which a server without a locale has, names of any script come back as they were."""
    address = with_encoding(postgres, "SQL_ASCII")
    coin = Coin("币安人生", "币安人生", "币安人生", 1, 1)
    with open_writer(address) as writer, open_reader(address) as reader:
        writer.update_coins([coin])
        assert writer.store([Price(coin.id, 1, 1.0)]) == 1
        assert reader.coins() == [coin]
        assert list(reader.latest()) == [coin.id]


def test_a_database_that_cannot_store_every_name_is_refused(postgres: PostgresServer) -> None:
    """The sentence names the encoding, and the one to choose."""
    with refusal(ConfigurationError, "LATIN1.*UTF8"):
        open_writer(with_encoding(postgres, "LATIN1"))


def holds_tables(address: ServerAddress) -> bool:
    """Whether a schema has come to a server."""
    try:
        open_reader(address).close()
    except NotReady:
        return False
    return True


def test_a_collector_leaves_a_server_that_only_follows(postgres: PostgresServer) -> None:
    """One that met the standby during a switch-over stores its prices as soon as the name leads to the primary."""
    with server_or_skip() as primary, primary.copy() as standby, TcpProxy(standby.port) as name:
        address = primary.address(name.port)
        open_writer(replace(address, url=SecretStr(primary.url))).close()
        wait_until(lambda: holds_tables(address))
        with open_writer(address) as writer:
            for _ in range(2):
                with pytest.raises(StorageProblem, match="read-only"):
                    writer.store([Price("bitcoin", 1, 1.0)])
            name.lead_to(primary.port)
            assert writer.store([Price("bitcoin", 1, 1.0)]) == 1
