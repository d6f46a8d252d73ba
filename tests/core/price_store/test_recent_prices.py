"""New prices wait by time and are settled by coin; readers see one table."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import core.price_store.sqlite.schema as versions
from core.price_store import Coin, Price, open_reader, open_writer
from core.price_store.sqlite import recent_prices
from core.price_store.sqlite.reader import SqliteReader
from core.times import FOREVER_MS, MINUTE_MS

COINS = ("a", "b")


def rows_of(path: Path) -> dict[str, int]:
    """How many prices wait, and how many are settled, by the tables themselves."""
    with closing(sqlite3.connect(path)) as connection:
        return {
            table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608
            for table in ("recent_prices", "settled_prices")
        }


@settings(max_examples=50, deadline=None)
@given(
    polls=st.lists(
        st.lists(st.tuples(st.sampled_from(COINS), st.integers(-25, 3), st.integers(1, 3)), min_size=1, max_size=5),
        max_size=30,
    ),
    asked=st.lists(st.integers(0, 40 * MINUTE_MS), min_size=1, max_size=8),
)
def test_whatever_comes_in_each_first_price_is_seen_once(
    tmp_path_factory: pytest.TempPathFactory, polls: list[list[tuple[str, int, int]]], asked: list[int]
) -> None:
    """Late, doubled and repeated prices in polls of any minute: every question gets the answer of one plain table."""
    path = tmp_path_factory.mktemp("store") / "crypto.db"
    expected: dict[str, dict[int, float]] = {coin: {} for coin in COINS}
    with open_writer(path) as writer, open_reader(path) as reader:
        for number, poll in enumerate(polls):
            times = [(coin, max(1, (number + minutes) * MINUTE_MS + 700 * ms)) for coin, minutes, ms in poll]
            added = writer.store([Price(coin, ts_ms, number + 1.0) for coin, ts_ms in times])
            before = sum(len(prices) for prices in expected.values())
            for coin, ts_ms in times:
                expected[coin].setdefault(ts_ms, number + 1.0)
            assert added == sum(len(prices) for prices in expected.values()) - before
        for coin, prices in expected.items():
            known = sorted(prices.items())
            assert reader.range(coin) == known
            assert [(row.ts_ms, row.price) for row in reader.newest(coin, 0, FOREVER_MS, 3)] == known[:-4:-1]
            assert reader.count(coin, 0, FOREVER_MS) == len(known)
            assert reader.first_ms(coin) == min(prices, default=None)
            for ts_ms in asked:
                until, since = ([row for row in known if row[0] <= ts_ms], [row for row in known if row[0] >= ts_ms])
                assert reader.as_of(coin, ts_ms) == max(until, default=None)
                assert reader.range(coin, ts_ms, ts_ms + 9 * MINUTE_MS) == [
                    row for row in since if row[0] <= ts_ms + 9 * MINUTE_MS
                ]


def test_polls_wait_by_the_minute_and_are_settled_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty minutes of polls wait; the next minute settles them, and a chart of many prices never waits."""
    monkeypatch.setattr(recent_prices, "MOST_MINUTES", 20)
    path = tmp_path / "crypto.db"
    with open_writer(path) as writer:
        writer.store(Price("b", ts_ms, 1.0) for ts_ms in range(1, 11))
        assert rows_of(path) == {"recent_prices": 0, "settled_prices": 10}
        for minute in range(20):
            for poll in (0, 30_000):
                writer.store([Price("a", minute * MINUTE_MS + poll + 1, 1.0)])
        assert rows_of(path) == {"recent_prices": 40, "settled_prices": 10}
        writer.store([Price("a", 20 * MINUTE_MS + 1, 1.0)])
        assert rows_of(path) == {"recent_prices": 1, "settled_prices": 50}


def test_a_price_that_is_old_when_it_is_new_does_not_wait(tmp_path: Path) -> None:
    """A coin that is traded no more comes with its last price for days; it settles at once, beside one that waits."""
    path = tmp_path / "crypto.db"
    with open_writer(path) as writer:
        writer.store(
            [Price("a", 60 * MINUTE_MS, 1.0), Price("b", 50 * MINUTE_MS, 2.0), Price("c", 49 * MINUTE_MS, 3.0)]
        )
        assert rows_of(path) == {"recent_prices": 2, "settled_prices": 1}


def test_a_price_that_settles_during_a_search_is_found(tmp_path: Path) -> None:
    """The reader sees a price that has moved from one table to the other between its two questions."""
    path = tmp_path / "crypto.db"
    with open_writer(path) as writer, SqliteReader(path) as reader:
        writer.store([Price("a", MINUTE_MS, 1.0)])
        asked: list[str] = []

        def settle_before_the_second(statement: str) -> None:
            asked.append(statement)
            if len(asked) == 2:
                writer.thin("a", 0, 2 * MINUTE_MS, MINUTE_MS)

        reader._connection.set_trace_callback(settle_before_the_second)
        assert reader.as_of("a", MINUTE_MS) == (MINUTE_MS, 1.0)
        assert rows_of(path) == {"recent_prices": 0, "settled_prices": 1}


@contextmanager
def _older_database(path: Path, version: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[sqlite3.Connection]:
    """A database as the release with that schema leaves it."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection, monkeypatch.context() as older:
        older.setattr(versions, "_STEPS", versions._STEPS[:version])
        older.setattr(versions, "SCHEMA_VERSION", version)
        versions.migrate(connection)
        yield connection


def test_prices_that_an_older_release_left_waiting_are_settled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They waited by the machine's clock, which may be hours off: a search by event time would miss them."""
    path = tmp_path / "crypto.db"
    with _older_database(path, 2, monkeypatch) as connection:
        connection.execute("INSERT INTO recent_minutes VALUES (5)")
        connection.execute("INSERT INTO recent_prices VALUES (5, 'a', 4000000, 1.0, NULL, NULL, 300000)")
    with open_writer(path), open_reader(path) as reader:
        assert rows_of(path) == {"recent_prices": 0, "settled_prices": 1}
        assert reader.range("a", 4_000_000, 4_000_000) == [(4_000_000, 1.0)]


def test_prices_of_an_older_release_stay_where_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database of the first schema: its prices are read with the new ones."""
    path = tmp_path / "crypto.db"
    with _older_database(path, 1, monkeypatch) as connection:
        connection.execute("INSERT INTO prices VALUES ('a', 1000, 1.0, NULL, NULL, 0)")
    with open_writer(path) as writer, open_reader(path) as reader:
        writer.update_coins([Coin("a", "a", "A")])
        assert writer.store([Price("a", 1000, 9.0), Price("a", 2000, 2.0)]) == 1
        assert reader.range("a") == [(1000, 1.0), (2000, 2.0)]
        assert reader.latest()["a"].price == 2.0


def test_a_search_for_one_coin_never_reads_all_recent_prices(tmp_path: Path) -> None:
    """Statistics that somebody collected would make SQLite do so: a writer removes them and collects none."""
    path = tmp_path / "crypto.db"
    question = "SELECT ts_ms FROM prices WHERE coin_id = ? ORDER BY ts_ms DESC LIMIT 1"
    with open_writer(path) as writer:
        writer.store([Price(f"coin-{number}", 1 + number, 1.0) for number in range(2_000)])
    with closing(sqlite3.connect(path)) as other:
        other.execute("ANALYZE recent_prices")
    with open_writer(path) as writer, closing(sqlite3.connect(path)) as other:
        writer.maintain()
        assert "BLOOM" not in str(other.execute(f"EXPLAIN QUERY PLAN {question}", ("coin-1",)).fetchall())
        assert not other.execute("SELECT name FROM sqlite_master WHERE name LIKE 'sqlite_stat%'").fetchall()


def test_settling_does_not_write_the_pages_that_it_frees(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An hour of 50 coins, settled in a database of nothing else, adds less to the log than 1.3 times that database."""
    monkeypatch.setattr(recent_prices, "MOST_MINUTES", 60)
    path = tmp_path / "crypto.db"
    coins = [f"coin-{number:02}" for number in range(50)]
    with open_writer(path) as writer:
        for minute in range(60):
            writer.store([Price(coin, minute * MINUTE_MS + 1, 1.0, 1e9, 1e7, 1) for coin in coins])
        writer.maintain()
        before = path.stat().st_size
        writer.store([Price(coins[0], 60 * MINUTE_MS + 1, 1.0)])
        assert rows_of(path) == {"recent_prices": 1, "settled_prices": 50 * 60}
        assert path.with_name("crypto.db-wal").stat().st_size < 1.3 * before


def test_all_coins_are_settled_a_few_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 601 coins, in spans of 250, each keeps both of its prices."""
    monkeypatch.setattr(recent_prices, "MOST_MINUTES", 2)
    path, coins = tmp_path / "crypto.db", [f"coin-{number}" for number in range(600)] + ["é"]
    with open_writer(path) as writer:
        for minute in range(2):
            writer.store([Price(coin, minute * MINUTE_MS + 1, 1.0 + minute) for coin in coins])
        assert rows_of(path) == {"recent_prices": 1202, "settled_prices": 0}
        writer.store([Price("a", 2 * MINUTE_MS + 1, 1.0)])
        assert rows_of(path) == {"recent_prices": 1, "settled_prices": 1202}
    with open_reader(path) as reader:
        assert all(reader.range(coin) == [(1, 1.0), (MINUTE_MS + 1, 2.0)] for coin in coins)
