"""The price store keeps each valid price once."""

from __future__ import annotations

import math
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import AlreadyRunning, ConfigurationError, NotReady
from core.price_store import Coin, Price, PriceReader, PriceWriter
from core.times import now_ms

BITCOIN = Coin("bitcoin", "BTC", "Bitcoin", 1, 1)


def test_a_price_is_stored_once_and_the_first_one_stays(tmp_path: Path) -> None:
    """Storing the same event time again changes nothing, even with another price."""
    with PriceWriter(tmp_path / "crypto.db") as writer:
        writer.update_coins([BITCOIN])
        assert writer.store([Price("bitcoin", 1000, 1.5)]) == 1
        assert writer.store([Price("bitcoin", 1000, 1.5), Price("bitcoin", 1000, 9.0)]) == 0
        assert writer.latest()["bitcoin"].price == 1.5


@pytest.mark.parametrize("price", [0.0, -1.0, math.nan, math.inf, -math.inf, 1e301])
def test_an_impossible_price_is_never_stored(tmp_path: Path, price: float) -> None:
    """Zero, negative and non-finite prices are left out, and the valid ones beside them stay."""
    with PriceWriter(tmp_path / "crypto.db") as writer:
        assert writer.store([Price("bitcoin", 1000, price), Price("bitcoin", 2000, 2.0)]) == 1


def test_a_price_from_the_future_is_refused_beyond_two_minutes(tmp_path: Path) -> None:
    """One minute ahead of the clock is accepted, three minutes are not."""
    with PriceWriter(tmp_path / "crypto.db") as writer:
        now = now_ms()
        assert writer.store([Price("bitcoin", now + 60_000, 1.0), Price("bitcoin", now + 180_000, 1.0)]) == 1


def test_older_prices_raise_the_revision_and_newer_ones_do_not(tmp_path: Path) -> None:
    """Prices older than the newest one raise the coin's revision."""
    path = tmp_path / "crypto.db"
    with PriceWriter(path) as writer, PriceReader(path) as reader:
        writer.update_coins([BITCOIN])
        writer.store([Price("bitcoin", 5000, 1.0)])
        writer.store([Price("bitcoin", 6000, 1.0)])
        assert reader.coins()[0].revision == 0
        writer.store([Price("bitcoin", 4000, 1.0)])
        assert reader.coins()[0].revision == 1
        writer.store([Price("bitcoin", 4000, 1.0)])
        assert reader.coins()[0].revision == 1


def test_a_reader_sees_a_commit_through_the_data_version(tmp_path: Path) -> None:
    """The data version changes when the writer has committed and only then."""
    path = tmp_path / "crypto.db"
    with PriceWriter(path) as writer, PriceReader(path) as reader:
        before = reader.data_version()
        assert reader.data_version() == before
        writer.store([Price("bitcoin", 1000, 1.0)])
        assert reader.data_version() != before


def test_as_of_gives_the_last_price_at_or_before(tmp_path: Path) -> None:
    """The price as of a time is never a later one."""
    path = tmp_path / "crypto.db"
    with PriceWriter(path) as writer, PriceReader(path) as reader:
        writer.store([Price("bitcoin", 1000, 1.0), Price("bitcoin", 2000, 2.0)])
        assert reader.as_of("bitcoin", 999) is None
        assert reader.as_of("bitcoin", 1999) == (1000, 1.0)
        assert reader.as_of("bitcoin", 2000) == (2000, 2.0)


def test_thinning_keeps_the_last_price_of_each_grid_interval(tmp_path: Path) -> None:
    """An interval ends on the grid and includes its end."""
    path = tmp_path / "crypto.db"
    with PriceWriter(path) as writer, PriceReader(path) as reader:
        writer.store(Price("bitcoin", ts_ms, float(ts_ms)) for ts_ms in (1, 299_000, 300_000, 300_001, 600_001))
        assert reader.thinned("bitcoin", 0, 10**9) == [(300_000, 3e5), (300_001, 300_001.0), (600_001, 600_001.0)]


def test_a_second_writer_is_refused_until_the_first_is_gone(tmp_path: Path) -> None:
    """Only one writer can open the store; closing it releases the lock."""
    path = tmp_path / "crypto.db"
    with PriceWriter(path), pytest.raises(AlreadyRunning):
        PriceWriter(path)
    PriceWriter(path).close()


def test_a_damaged_database_is_set_aside_and_replaced(tmp_path: Path) -> None:
    """The damaged file is kept under a dated name, and a new database stores prices."""
    path = tmp_path / "crypto.db"
    path.write_bytes(b"not a database at all" * 1000)
    with PriceWriter(path) as writer:
        assert writer.set_aside_as is not None
        assert writer.set_aside_as.read_bytes().startswith(b"not a database")
        assert writer.store([Price("bitcoin", 1000, 1.0)]) == 1


def test_a_newer_schema_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    """A database of a later release is neither changed nor set aside."""
    path = tmp_path / "crypto.db"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(ConfigurationError, match="99"):
        PriceWriter(path)
    assert list(tmp_path.glob("*damaged*")) == []


def test_a_reader_without_a_database_says_not_ready(tmp_path: Path) -> None:
    """A reader does not create the database."""
    with pytest.raises(NotReady):
        PriceReader(tmp_path / "crypto.db")
    assert not (tmp_path / "crypto.db").exists()


@settings(max_examples=30, deadline=None)
@given(rows=st.lists(st.tuples(st.integers(1, 50), st.floats(0.001, 1e6)), max_size=60))
def test_what_is_stored_is_read_back_in_order(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, float]]
) -> None:
    """Any batch comes back sorted by event time, the first price of each."""
    path = tmp_path_factory.mktemp("store") / "crypto.db"
    first: dict[int, float] = {}
    for ts_ms, price in rows:
        first.setdefault(ts_ms, price)
    with PriceWriter(path) as writer, PriceReader(path) as reader:
        assert writer.store(Price("bitcoin", ts_ms, price) for ts_ms, price in rows) == len(first)
        assert reader.range("bitcoin") == sorted(first.items())


def test_the_number_of_prices_is_stored(tmp_path: Path) -> None:
    """New prices are counted, repeated ones are not, deleted ones are subtracted."""
    path = tmp_path / "crypto.db"
    with PriceWriter(path) as writer, PriceReader(path) as reader:
        writer.store(Price("bitcoin", ts_ms, 1.0) for ts_ms in (1, 2, 3, 300_001))
        writer.store([Price("bitcoin", 3, 1.0), Price("bitcoin", 300_002, 1.0)])
        writer.thin("bitcoin", 0, 300_001, 300_000)
        assert int(reader.meta()["price_count"]) == len(reader.range("bitcoin")) == 3
