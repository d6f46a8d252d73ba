"""Old prices are thinned to one a bar, in small steps, once; recent ones stay as they are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.price_store import Coin, Price, PriceWriter, open_reader, open_writer
from core.times import DAY_MS, MINUTE_MS, parse_iso
from etl.collector.retention import Retention

START_MS = parse_iso("2026-01-01")
NOW_MS = START_MS + 100 * DAY_MS
BAR_MS = 5 * MINUTE_MS


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[PriceWriter]:
    """A store with two coins of which nothing is priced."""
    with open_writer(tmp_path / "crypto.db") as writer:
        writer.update_coins([Coin("bitcoin", "btc", "Bitcoin"), Coin("ethereum", "eth", "Ethereum")])
        yield writer


def every_minute(coin_id: str, start_ms: int, count: int) -> list[Price]:
    """One price a minute."""
    return [Price(coin_id, start_ms + number * MINUTE_MS, 1.0 + number) for number in range(count)]


def thin_all(writer: PriceWriter, now_ms: int = NOW_MS) -> int:
    """Step until nothing is left; return the number of steps."""
    retention, steps = Retention(writer, 90), 0
    while retention.step(now_ms):
        steps += 1
    return steps


def test_the_last_price_of_each_bar_stays_at_its_own_time(writer: PriceWriter) -> None:
    """What was as of each grid point still is; days within the time to keep are untouched."""
    writer.store(every_minute("bitcoin", START_MS, 1440))
    writer.store(every_minute("bitcoin", NOW_MS - 89 * DAY_MS, 100))
    thin_all(writer)
    old = [ts_ms for ts_ms, _ in writer.recent("bitcoin", 0) if ts_ms < START_MS + DAY_MS]
    assert old == [*range(START_MS, START_MS + DAY_MS, BAR_MS), START_MS + DAY_MS - MINUTE_MS]
    assert len(writer.recent("bitcoin", START_MS + DAY_MS)) == 100


def test_a_day_is_thinned_once_also_over_restarts(writer: PriceWriter) -> None:
    """The next start goes on where the last one came to; one step is one day of one coin."""
    for coin_id in ("bitcoin", "ethereum"):
        writer.store(every_minute(coin_id, START_MS, 2 * 1440))
    assert thin_all(writer) == 10 * 3
    assert thin_all(writer) == 0
    assert thin_all(writer, NOW_MS + DAY_MS) == 3


def test_an_interrupted_day_is_repeated_without_harm(writer: PriceWriter) -> None:
    """A crash between two coins of a day leaves both thinned in the end."""
    for coin_id in ("bitcoin", "ethereum"):
        writer.store(every_minute(coin_id, START_MS, 1440))
    assert Retention(writer, 90).step(NOW_MS)
    thin_all(writer)
    assert [len(writer.recent(coin_id, 0)) for coin_id in ("bitcoin", "ethereum")] == [289, 289]


def test_an_empty_store_has_nothing_to_thin(writer: PriceWriter) -> None:
    """Nothing is thinned and nothing stored."""
    assert thin_all(writer) == 0


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(START_MS, START_MS + DAY_MS - 1), max_size=200, unique=True))
def test_thinning_keeps_the_last_of_every_bar_and_no_other(
    tmp_path_factory: pytest.TempPathFactory, times: list[int]
) -> None:
    """The result equals that of a plain dictionary."""
    path = tmp_path_factory.mktemp("store") / "crypto.db"
    expected = {-(-ts_ms // BAR_MS): ts_ms for ts_ms in sorted(times)}
    with open_writer(path) as writer, open_reader(path) as reader:
        writer.store(Price("bitcoin", ts_ms, 1.0) for ts_ms in times)
        assert writer.thin("bitcoin", START_MS, START_MS + DAY_MS, BAR_MS) == len(times) - len(expected)
        assert [ts_ms for ts_ms, _ in reader.range("bitcoin")] == list(expected.values())
