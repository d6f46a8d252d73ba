"""What the buffer stores at once, and what may wait."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.price_store import Coin, Price, PriceWriter, open_reader, open_writer
from core.times import MINUTE_MS
from etl.collector.write_buffer import WriteBuffer

START_MS = 1_767_225_600_000


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[PriceWriter]:
    """The writer of an empty store."""
    with open_writer(tmp_path / "crypto.db") as opened:
        yield opened


def _ranks(folder: Path) -> dict[str, int | None]:
    with open_reader(folder / "crypto.db") as reader:
        return {coin.name: coin.rank for coin in reader.known_coins()}


def test_ranks_follow_after_a_clock_that_was_ahead_once(tmp_path: Path, writer: PriceWriter) -> None:
    """One reply while the source's clock was 400 days ahead delays no later rank, nor lets prices of the future in."""
    buffer = WriteBuffer(writer)
    _poll(buffer, 400 * 1440, Coin("a", "a", "A", 1))
    _poll(buffer, 0, Coin("a", "a", "A", 2))
    assert _ranks(tmp_path) == {"A": 2}
    _poll(buffer, 10, Coin("a", "a", "A", 3))
    assert _ranks(tmp_path) == {"A": 3}
    stored = buffer.stored
    buffer.add_prices([Price("a", START_MS + 300 * 1440 * MINUTE_MS, 1.0)], START_MS + 11 * MINUTE_MS)
    assert buffer.flush()
    assert buffer.stored == stored


def _poll(buffer: WriteBuffer, minute: float, *coins: Coin) -> None:
    ts_ms = START_MS + round(minute * MINUTE_MS)
    for coin in coins:
        buffer.add_coin(coin)
    buffer.add_prices([Price(coin.id, ts_ms, 1.0) for coin in coins], ts_ms)
    assert buffer.flush()


def test_a_new_name_is_stored_at_once_and_a_new_rank_within_ten_minutes(tmp_path: Path, writer: PriceWriter) -> None:
    """Ranks that change with each poll are written once in ten minutes, or with a name that is new."""
    buffer = WriteBuffer(writer)
    _poll(buffer, 0, Coin("a", "a", "A", 1), Coin("b", "b", "B", 2))
    assert _ranks(tmp_path) == {"A": 1, "B": 2}
    _poll(buffer, 1, Coin("a", "a", "A", 3), Coin("b", "b", "B", 4))
    _poll(buffer, 9, Coin("a", "a", "A", 1), Coin("b", "b", "B", 5))
    assert _ranks(tmp_path) == {"A": 1, "B": 2}
    _poll(buffer, 10, Coin("a", "a", "A", 1))
    assert _ranks(tmp_path) == {"A": 1, "B": 5}
    _poll(buffer, 11, Coin("a", "a", "A", 2))
    _poll(buffer, 12, Coin("b", "b", "Bee", 1))
    assert _ranks(tmp_path) == {"A": 2, "Bee": 1}
