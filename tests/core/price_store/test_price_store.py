"""The price store keeps each valid price once."""

from __future__ import annotations

import math
import sqlite3
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import AlreadyRunning, ConfigurationError, NotReady, StandingBy
from core.price_store import Coin, Price, open_reader, open_writer
from core.store_address import StoreAddress
from core.times import now_ms

BITCOIN = Coin("bitcoin", "BTC", "Bitcoin", 1, 1)


def test_a_price_is_stored_once_and_the_first_one_stays(address: StoreAddress) -> None:
    """Storing the same event time again changes nothing, even with another price."""
    with open_writer(address) as writer:
        writer.update_coins([BITCOIN])
        assert writer.store([Price("bitcoin", 1000, 1.5)]) == 1
        assert writer.store([Price("bitcoin", 1000, 1.5), Price("bitcoin", 1000, 9.0)]) == 0
        assert writer.latest()["bitcoin"].price == 1.5


@pytest.mark.parametrize("price", [0.0, -1.0, math.nan, math.inf, -math.inf, 1e301])
def test_an_impossible_price_is_never_stored(address: StoreAddress, price: float) -> None:
    """Zero, negative and non-finite prices are left out, and the valid ones beside them stay."""
    with open_writer(address) as writer:
        assert writer.store([Price("bitcoin", 1000, price), Price("bitcoin", 2000, 2.0)]) == 1


def test_a_price_from_the_future_is_refused_beyond_two_minutes(address: StoreAddress) -> None:
    """One minute ahead of the clock is accepted, three minutes are not."""
    with open_writer(address) as writer:
        now = now_ms()
        assert writer.store([Price("bitcoin", now + 60_000, 1.0), Price("bitcoin", now + 180_000, 1.0)]) == 1


def test_older_prices_raise_the_revision_and_newer_ones_do_not(address: StoreAddress) -> None:
    """Prices older than the newest one raise the coin's revision."""
    with open_writer(address) as writer, open_reader(address) as reader:
        writer.update_coins([BITCOIN])
        writer.store([Price("bitcoin", 5000, 1.0)])
        writer.store([Price("bitcoin", 6000, 1.0)])
        assert reader.coins()[0].revision == 0
        writer.store([Price("bitcoin", 4000, 1.0)])
        assert reader.coins()[0].revision == 1
        writer.store([Price("bitcoin", 4000, 1.0)])
        assert reader.coins()[0].revision == 1


@pytest.mark.parametrize("others", [1, 2_500])
def test_an_old_quote_that_is_stored_already_raises_no_revision(address: StoreAddress, others: int) -> None:
    """A page that was cached repeats it beside prices that are new: nothing of its coin has to be computed again."""
    with open_writer(address) as writer, open_reader(address) as reader:
        writer.update_coins([BITCOIN])
        writer.store([Price("bitcoin", 4000, 1.0), Price("bitcoin", 5000, 1.0)])
        repeated = Price("bitcoin", 4000, 1.0)
        assert writer.store([repeated, *(Price("solana", 6000 + place, 1.0) for place in range(others))]) == others
        assert reader.coins()[0].revision == 0


def test_a_file_that_goes_away_while_it_is_opened_is_not_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A damaged database is set aside between two looks at it: a reader waits for the next one."""
    monkeypatch.setattr(Path, "exists", lambda _: True)
    with pytest.raises(NotReady):
        open_reader(tmp_path / "crypto.db")


def test_a_reader_sees_a_commit_through_the_data_version(address: StoreAddress) -> None:
    """The data version changes when the writer has committed and only then."""
    with open_writer(address) as writer, open_reader(address) as reader:
        before = reader.data_version()
        assert reader.data_version() == before
        writer.store([Price("bitcoin", 1000, 1.0)])
        assert reader.data_version() != before


def test_as_of_gives_the_last_price_at_or_before(address: StoreAddress) -> None:
    """The price as of a time is never a later one."""
    with open_writer(address) as writer, open_reader(address) as reader:
        writer.store([Price("bitcoin", 1000, 1.0), Price("bitcoin", 2000, 2.0)])
        assert reader.as_of("bitcoin", 999) is None
        assert reader.as_of("bitcoin", 1999) == (1000, 1.0)
        assert reader.as_of("bitcoin", 2000) == (2000, 2.0)


def test_prices_as_of_many_moments_are_those_asked_for_one_by_one(address: StoreAddress) -> None:
    """Each moment has its answer at its place, also one before all prices, one of an unknown coin, and one repeated."""
    with open_writer(address) as writer, open_reader(address) as reader:
        writer.store(Price(coin, ts_ms, float(ts_ms)) for coin in ("bitcoin", "solana") for ts_ms in (30, 10, 20))
        writer.store([Price("solana", 40, 4.0)])
        moments = [("solana", 2**62), ("bitcoin", 9), ("nobody", 50), ("bitcoin", 25), ("solana", 40), ("bitcoin", 25)]
        assert reader.as_of_each(moments) == [reader.as_of(*moment) for moment in moments]
        assert reader.as_of_each(moments)[:4] == [(40, 4.0), None, None, (20, 20.0)]
        assert reader.as_of_each([]) == []


def test_thinning_keeps_the_last_price_of_each_grid_interval(address: StoreAddress) -> None:
    """An interval ends on the grid and includes its end."""
    with open_writer(address) as writer, open_reader(address) as reader:
        writer.store(Price("bitcoin", ts_ms, float(ts_ms)) for ts_ms in (1, 299_000, 300_000, 300_001, 600_001))
        assert reader.thinned("bitcoin", 0, 10**9) == [(300_000, 3e5), (300_001, 300_001.0), (600_001, 600_001.0)]


def test_a_second_writer_is_refused_until_the_first_is_gone(address: StoreAddress) -> None:
    """Only one writer can open the store; closing it releases the lock."""
    with open_writer(address), pytest.raises((AlreadyRunning, StandingBy)):
        open_writer(address)
    open_writer(address).close()


def test_a_damaged_database_is_set_aside_and_replaced(tmp_path: Path) -> None:
    """The damaged file is kept under a dated name, and a new database stores prices."""
    path = tmp_path / "crypto.db"
    path.write_bytes(b"not a database at all" * 1000)
    with open_writer(path) as writer:
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
        open_writer(path)
    assert list(tmp_path.glob("*damaged*")) == []


def test_a_reader_without_a_database_says_not_ready(address: StoreAddress) -> None:
    """A reader does not create the database."""
    for _ in range(2):
        with pytest.raises(NotReady):
            open_reader(address)


def test_what_is_stored_is_read_back_in_order(address: StoreAddress) -> None:
    """Any batch comes back sorted by event time, the first price of each."""
    names = (f"coin-{number}" for number in count())
    with open_writer(address) as writer, open_reader(address) as reader:

        @settings(max_examples=30, deadline=None)
        @given(rows=st.lists(st.tuples(st.integers(1, 50), st.floats(0.001, 1e6)), max_size=60))
        def check(rows: list[tuple[int, float]]) -> None:
            first: dict[int, float] = {}
            for ts_ms, price in rows:
                first.setdefault(ts_ms, price)
            coin = next(names)
            assert writer.store(Price(coin, ts_ms, price) for ts_ms, price in rows) == len(first)
            assert reader.range(coin) == sorted(first.items())

        check()


def test_the_number_of_prices_is_stored(address: StoreAddress) -> None:
    """New prices are counted, repeated ones are not, deleted ones are subtracted."""
    with open_writer(address) as writer, open_reader(address) as reader:
        writer.store(Price("bitcoin", ts_ms, 1.0) for ts_ms in (1, 2, 3, 300_001))
        writer.store([Price("bitcoin", 3, 1.0), Price("bitcoin", 300_002, 1.0)])
        writer.thin("bitcoin", 0, 300_001, 300_000)
        assert int(reader.meta()["price_count"]) == len(reader.range("bitcoin")) == 3


def test_the_nearest_price_lies_within_the_tolerance(address: StoreAddress) -> None:
    """Of two prices equally near the earlier one counts; beyond the tolerance there is none; each coin has its own."""
    with open_writer(address) as writer, open_reader(address) as reader:
        writer.store([Price("bitcoin", 1000, 1.0), Price("bitcoin", 2000, 2.0), Price("solana", 1500, 3.0)])
        moments = [("bitcoin", 1500), ("bitcoin", 1900), ("bitcoin", 2501), ("solana", 1500), ("nobody", 1500)]
        assert reader.nearest(moments, 500) == [(1000, 1.0), (2000, 2.0), None, (1500, 3.0), None]
        assert reader.nearest([], 500) == []


def test_prices_of_many_coins_come_each_from_its_own_start(address: StoreAddress) -> None:
    """Start and end count too; a coin without prices in between is left out."""
    with open_writer(address) as writer, open_reader(address) as reader:
        writer.store(Price(coin, ts_ms, float(ts_ms)) for coin in ("bitcoin", "solana") for ts_ms in (3, 1, 2))
        assert reader.since({"bitcoin": 2, "solana": 4, "nobody": 0}) == {"bitcoin": [(2, 2.0), (3, 3.0)]}
        assert reader.since({"bitcoin": 1, "solana": 2}, 2) == {"bitcoin": [(1, 1.0), (2, 2.0)], "solana": [(2, 2.0)]}
        assert reader.since({}) == {}


def test_all_coins_are_known_but_only_tracked_ones_are_shown(address: StoreAddress) -> None:
    """Coins come by rank, those without rank last; one that is no longer tracked is still known."""
    coins = [
        Coin("zcash", "zec", "Zcash", 2, 1),
        Coin("aave", "aave", "Aave", None, 1),
        Coin("bitcoin", "btc", "B", 1, 1),
    ]
    with open_writer(address) as writer, open_reader(address) as reader:
        writer.update_coins(coins)
        assert [coin.id for coin in reader.coins()] == ["bitcoin", "zcash", "aave"]
        writer.track(["zcash", "aave"])
        assert [coin.id for coin in reader.coins()] == ["zcash", "aave"]
        assert [coin.id for coin in reader.known_coins()] == ["aave", "bitcoin", "zcash"]


def test_hourly_prices_and_the_collector_s_state_are_replaced(address: StoreAddress) -> None:
    """The last list and the last values stand; impossible prices are left out."""
    with open_writer(address) as writer, open_reader(address) as reader:
        writer.store_hourly("bitcoin", [(1, 1.0), (2, 2.0)])
        writer.store_hourly("bitcoin", [(2, 5.0), (3, math.nan), (4, 6.0), (4, 7.0)])
        writer.set_meta({"budget": "a", "universe": "b"})
        writer.set_meta({"budget": "c"})
        assert reader.hourly("bitcoin") == [(2, 5.0), (4, 6.0)]
        assert reader.meta() == {"budget": "c", "universe": "b"}
        assert (writer.meta("budget"), writer.meta("nothing")) == ("c", None)


def test_pages_of_prices_are_whole(address: StoreAddress) -> None:
    """Newest first or oldest first, up to the limit, however many batches they come in."""
    times = range(1, 12_001)
    with open_writer(address) as writer, open_reader(address) as reader:
        writer.store(Price("bitcoin", ts_ms, 1.0) for ts_ms in times)
        assert [price.ts_ms for price in reader.newest("bitcoin", 0, 11_999, 10_500)] == list(range(11_999, 1_499, -1))
        ascending = reader.batches("bitcoin", 2, 99_999, 11_000, ascending=True)
        assert [row[0] for batch in ascending for row in batch] == list(range(2, 11_002))
        assert reader.count("bitcoin", 2, 11_999) == 11_998
        assert (reader.first_ms("bitcoin"), reader.first_ms("nobody")) == (1, None)
