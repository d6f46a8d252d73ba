"""A collector whose prices are on a server, where others write too: a second collector, or a person with a backup."""

from __future__ import annotations

import json
from collections.abc import Iterator

import psycopg
import pytest

from core.price_store import open_reader
from core.processes.health_schema import ProcessState
from core.store_address import ServerAddress
from etl.collector.health_report import collector_progress
from tests.support.collector_worlds import COINS, Worlds, fields
from tests.support.postgres import PostgresServer, server_or_skip


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A PostgreSQL server for the tests of this file."""
    with server_or_skip() as running:
        yield running


def calls_stored(address: ServerAddress) -> int:
    """How many calls the store counts."""
    with open_reader(address) as reader:
        return sum(json.loads(reader.meta()["budget"])["calls"].values())


def test_a_collector_goes_on_with_what_the_other_one_stored(make_world: Worlds, server: PostgresServer) -> None:
    """After standing by it counts the other's calls and stores the prices that it kept; there is no gap to fill."""
    store, first, second = server.address(), make_world(), make_world()
    collector = first.start(store=store, coins=COINS, calls_per_minute=30)
    first.run(120)
    asked = len(first.server.requests)
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
            "WHERE application_name LIKE 'crypto-collector%'"
        )
    second.wall_ms = first.wall_ms
    second.start(store=store, coins=COINS, calls_per_minute=30)
    first.run(20)
    assert collector_progress(collector)[0] is ProcessState.STANDING_BY
    waiting_ms = set(collector.context.intake.newest.values())
    second.run(600)
    asked += len(second.server.requests)
    assert calls_stored(store) == asked
    second.stop()
    first.move(580)
    charts = len(first.asked("market_chart"))
    first.run(60)
    assert collector_progress(collector)[0] is ProcessState.COLLECTING
    assert calls_stored(store) > asked
    assert len(first.asked("market_chart")) == charts
    with open_reader(store) as reader:
        stored_ms = {ts_ms for coin in COINS.split(",") for ts_ms, _ in reader.range(coin)}
    assert stored_ms >= waiting_ms


def test_coins_that_joined_after_a_backup_are_shown_again(make_world: Worlds, server: PostgresServer) -> None:
    """A dump of another day is restored while the collector waits: it stores its coins again, and fills the gap."""
    store, world = server.address(), make_world()
    world.start(store=store, coins="bitcoin")
    world.run(60)
    world.stop()
    backup = server.dump(store.schema)
    world.start(store=store, coins=COINS)
    world.run(60)
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"DROP SCHEMA {store.schema} CASCADE")
    world.run(60)
    assert fields(world)["unsaved"] > 0
    for part in backup:
        server.load(part)
    world.run(120)
    assert fields(world)["unsaved"] == 0
    with open_reader(store) as reader:
        assert {coin.id for coin in reader.coins()} == set(COINS.split(","))
        assert len(reader.range("dogecoin")) > 280
