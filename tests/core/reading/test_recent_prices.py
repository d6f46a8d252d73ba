"""Prices from memory are those of the store, whatever was stored since."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.price_store import Coin, Price, open_writer
from core.reading import recent_prices
from core.reading.readers import Readers
from core.reading.tables import Page
from tests.support.workspace import SampleWorkspace

COIN = Coin("bitcoin", "btc", "Bitcoin", 1, 1)
LATEST_MS = 10_000
PAGES = [
    Page(start, end, limit, ascending)
    for start, end in ((0, LATEST_MS), (40, 60), (0, 55), (70, 2**61))
    for limit in (1, 5, 100)
    for ascending in (False, True)
]


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(batches=st.lists(st.lists(st.integers(1, 100), max_size=12), min_size=1, max_size=4))
def test_pages_are_those_of_the_store_after_polls_and_back_fills(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, batches: list[list[int]]
) -> None:
    """Prices before, between and after the known ones are seen, with more of them than memory keeps."""
    monkeypatch.setattr(recent_prices, "_ROWS", 8)
    sample = SampleWorkspace.make(tmp_path_factory.mktemp("store"), [COIN])
    readers = Readers(sample.settings)
    with open_writer(sample.workspace.database) as writer:
        writer.update_coins([COIN])
        writer.track([COIN.id])
        for times_ms in batches:
            writer.store(Price(COIN.id, ts_ms, ts_ms + 0.5, fetched_ms=ts_ms) for ts_ms in times_ms)
            for page in PAGES:
                stored = readers.price_table(COIN.id, page).select(["time", "price"])
                assert readers.price_table(COIN.id, page, bare=True).equals(stored), page
    readers.close()


def test_a_new_store_is_read_anew(tmp_path: Path) -> None:
    """Prices in memory do not outlive the file that they came from."""
    sample = SampleWorkspace.make(tmp_path, [COIN])
    sample.fill_prices(hours=0.1)
    readers, everything = Readers(sample.settings), Page(0, 2**61, 100)
    before = readers.price_table(COIN.id, everything, bare=True)
    sample.workspace.database.rename(tmp_path / "set-aside.db")
    for suffix in ("-wal", "-shm"):
        sample.workspace.database.with_name(sample.workspace.database.name + suffix).unlink(missing_ok=True)
    sample.fill_prices(hours=0.05)
    after = readers.price_table(COIN.id, everything, bare=True)
    assert (before.num_rows, after.num_rows) == (6, 3)
