"""What only a store on a server has: the lease, roles, partitions, and a server that goes away."""

from __future__ import annotations

import logging
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Final

import psycopg
import pytest
from pydantic import SecretStr

from core.errors import ConfigurationError, NotReady, OutOfReach, StandingBy, StorageProblem, StoreChanged
from core.price_store import Coin, Price, open_pool, open_reader, open_writer
from core.price_store.postgres.partitions import SPAN_MS
from core.price_store.postgres.reader import PostgresReader
from core.price_store.postgres.writer import PostgresWriter
from core.store_address import ServerAddress
from core.times import now_ms
from tests.support.ports import reserve_port
from tests.support.postgres import PostgresServer
from tests.support.waiting import wait_until

END_SESSIONS: Final = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE"
BITCOIN = Coin("bitcoin", "btc", "Bitcoin", 1, 1)


@pytest.fixture
def address(postgres: PostgresServer) -> ServerAddress:
    """A schema that does not exist yet."""
    return postgres.address()


def end_sessions(postgres: PostgresServer) -> None:
    """End all sessions of collectors, as a server that restarts does."""
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(f"{END_SESSIONS} application_name LIKE 'crypto-collector%'")


def test_a_collector_that_lost_its_session_cannot_write_while_another_does(
    postgres: PostgresServer, address: ServerAddress
) -> None:
    """The second takes over; the first is told so and writes nothing.

    It takes over in turn when the second is gone, and is told once that the store has changed.
    """
    with open_writer(address) as first:
        first.update_coins([BITCOIN])
        with pytest.raises(StandingBy):
            open_writer(address)
        end_sessions(postgres)
        with open_writer(address) as second:
            for _ in range(2):
                with pytest.raises(StorageProblem):
                    first.store([Price("bitcoin", 1, 1.0)])
            with pytest.raises(StandingBy):
                first.store([Price("bitcoin", 1, 1.0)])
            assert second.store([Price("bitcoin", 1, 2.0)]) == 1
        prices = [Price("bitcoin", 1, 1.0), Price("bitcoin", 2, 1.0)]
        with pytest.raises(StoreChanged):
            first.store(prices)
        assert first.recent("bitcoin", 0) == [(1, 2.0)]
        assert first.store(prices) == 1
        assert first.recent("bitcoin", 0) == [(1, 2.0), (2, 1.0)]


def test_a_collector_ends_its_own_old_session(postgres: PostgresServer, address: ServerAddress) -> None:
    """After a cut that the server has not noticed, the same collector goes on at once, with a new session."""
    writer = PostgresWriter(address)
    with closing(writer):
        writer.store([Price("bitcoin", 1, 1.0)])
        old, writer._connection = writer._connection, None  # the server still believes in the old one
        assert writer.store([Price("bitcoin", 1, 1.0), Price("bitcoin", 2, 1.0)]) == 1
        assert old is not None
        with pytest.raises(psycopg.OperationalError):
            old.execute("SELECT 1")


def test_a_broken_connection_is_a_storage_problem_once(postgres: PostgresServer, address: ServerAddress) -> None:
    """The batch that met it is refused as a whole; the next call connects again and stores it, once."""
    prices = [Price("bitcoin", ts_ms, 1.0) for ts_ms in range(1, 100)]
    with open_writer(address) as writer, open_reader(address) as reader:
        writer.store(prices[:50])
        end_sessions(postgres)
        with pytest.raises(StorageProblem):
            writer.store(prices)
        assert writer.store(prices) == 49
        assert reader.meta()["price_count"] == "99"


def test_a_reader_may_change_nothing(postgres: PostgresServer, address: ServerAddress) -> None:
    """The role that reads sees all tables after the writer has opened the schema; its statements cannot write."""
    both = replace(address, read_url=SecretStr(postgres.reader_url))
    with open_writer(both) as writer, PostgresReader.open(both) as reader:
        writer.update_coins([BITCOIN])
        writer.store([Price("bitcoin", 1, 1.0)])
        assert reader.latest()["bitcoin"].price == 1.0
        assert reader.connection.info.user == "reader"
        reader.connection.execute("SET default_transaction_read_only = off")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reader.connection.execute("DELETE FROM prices")
    with PostgresReader.open(address) as owner, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        owner.connection.execute("DELETE FROM prices")


def test_a_role_without_rights_is_a_matter_for_a_person(postgres: PostgresServer, address: ServerAddress) -> None:
    """A role that was granted nothing gets the server's own sentence, not an endless wait."""
    open_writer(address).close()
    with pytest.raises(ConfigurationError, match="permission denied"):
        open_reader(replace(address, read_url=SecretStr(postgres.reader_url)))


def test_partitions_are_made_for_the_past_and_ahead(address: ServerAddress) -> None:
    """A price of any time finds its partition; chores make those of the next days."""
    now, old = now_ms(), now_ms() - 5 * SPAN_MS
    with open_writer(address) as writer, PostgresReader.open(address) as reader:
        writer.store([Price("bitcoin", now, 1.0), Price("bitcoin", old, 2.0)])
        writer.maintain()
        leaves = reader.connection.execute("SELECT relid::text FROM pg_partition_tree('prices') WHERE isleaf")
        wanted = {ts_ms // SPAN_MS for ts_ms in (old, now, now + 3 * 86_400_000)}
        assert {name for (name,) in leaves} == {f"prices_{number}" for number in wanted}
        assert reader.range("bitcoin") == [(old, 2.0), (now, 1.0)]


def test_a_back_fill_is_stored_like_a_poll(address: ServerAddress) -> None:
    """A batch that goes by COPY keeps the first price of each time and every column, as one of arrays does."""
    many = [Price("bitcoin", ts_ms, float(ts_ms), 2.0, None, 7) for ts_ms in range(1, 2_500)]
    with open_writer(address) as writer, open_reader(address) as reader:
        assert writer.store(many[:1_000]) == 1_000
        assert writer.store([price._replace(price=9.0) for price in many] + many) == 1_499
        assert reader.newest("bitcoin", 1, 1_000, 2_000) == many[999::-1]
        assert reader.newest("bitcoin", 1_001, 2_499, 1) == [Price("bitcoin", 2_499, 9.0, 2.0, None, 7)]


def test_what_a_server_does_not_take_is_stored_as_sqlite_stores_it(address: ServerAddress) -> None:
    """An unknown market cap given as NaN is none, and a name loses its NUL."""
    with open_writer(address) as writer, open_reader(address) as reader:
        writer.update_coins([Coin("bitcoin", "BTC", "Bit\0coin", None, 1)])
        writer.store([Price("bitcoin", 1, 1, float("nan"), 3)])
        assert reader.coins() == [Coin("bitcoin", "btc", "Bitcoin", None, 1)]
        assert reader.latest()["bitcoin"] == Price("bitcoin", 1, 1.0, None, 3.0)


def test_a_newer_schema_is_refused_by_all(address: ServerAddress) -> None:
    """A schema of a later release is neither read nor changed."""
    open_writer(address).close()
    with psycopg.connect(address.url.get_secret_value(), autocommit=True) as connection:
        connection.execute(f"SET search_path = {address.schema}")
        connection.execute("UPDATE state SET schema_version = 99")
    for open_store in (open_reader, open_writer):
        with pytest.raises(ConfigurationError, match="99"):
            open_store(address)
    with closing(open_pool(address)) as pool, pytest.raises(ConfigurationError, match="99"):
        pool.version()


def test_a_server_that_does_not_answer_is_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    """Readers are told that it is out of reach, writers keep their prices; no word of the password."""
    caplog.set_level(logging.DEBUG)
    url = SecretStr(f"postgresql://someone:hidden-password@127.0.0.1:{reserve_port()}/prices")
    address = ServerAddress(url, "live_usd")
    with pytest.raises(OutOfReach, match="out of reach") as reading:
        open_reader(address)
    with pytest.raises(StorageProblem, match="out of reach") as writing:
        open_writer(address)
    with closing(open_pool(address)) as pool:
        for _ in range(2):
            with pytest.raises(OutOfReach):
                pool.version()
        with pytest.raises(OutOfReach), pool.borrow():
            raise AssertionError
        assert pool.info().updated_ms is None
    assert "hidden" not in f"{address!r} {caplog.text} {reading.value} {writing.value.in_words()}"


def test_a_url_without_a_meaning_is_refused_without_showing_it() -> None:
    """What the driver says of a wrong URL may quote the password, so it is not passed on."""
    address = ServerAddress(SecretStr("postgresql://me:secret word@host:secret/x"), "live_usd")
    with pytest.raises(ConfigurationError) as refused:
        open_reader(address)
    assert "secret" not in f"{refused.value} {refused.value.__cause__}"


def test_a_pool_follows_a_server_that_comes_back(postgres: PostgresServer, address: ServerAddress) -> None:
    """Sessions that the server ended are replaced; the version is another one."""
    with open_writer(address) as writer, closing(open_pool(address)) as pool:
        writer.update_coins([BITCOIN])
        before = pool.version()
        with pool.borrow() as reader:
            assert reader.latest() == {}
        with psycopg.connect(postgres.url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            )

        def recovered() -> bool:
            try:
                with pool.borrow() as reader:
                    return reader.latest() == {} and pool.version()[0] != before[0]
            except NotReady:
                return False

        wait_until(recovered)


def test_without_the_driver_a_server_is_refused(monkeypatch: pytest.MonkeyPatch, address: ServerAddress) -> None:
    """The sentence names the packages to install; files need none."""
    for name in [name for name in sys.modules if name.startswith("core.price_store.postgres")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    for open_store in (open_reader, open_writer, open_pool):
        with pytest.raises(ConfigurationError, match="requirements-postgres"):
            open_store(address)
    with pytest.raises(NotReady):
        open_reader(Path("nowhere") / "crypto.db")
