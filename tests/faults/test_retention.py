"""Expired data is removed in small steps while writers and readers work, and no other data is removed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from core.price_store import Coin, Price, PriceReader, open_reader, open_writer
from core.publishing.manifest import ManifestReader
from core.publishing.publisher import Publisher
from core.times import DAY_MS, GRID_STEP_MS, now_ms
from etl.collector.retention import Retention
from model.loop.forecast_log import ForecastLog

pytestmark = [pytest.mark.faults, pytest.mark.timeout(120)]

COINS = ("bitcoin", "ethereum", "solana")
KEEP_DAYS = 90
STEP_MS = 30_000
Tell = Callable[..., None]


def test_thinning_blocks_neither_polls_nor_readers(tmp_path: Path, tell: Tell) -> None:
    """A poll is stored between any two steps, and readers always see the same price as of each grid point."""
    now = now_ms() // DAY_MS * DAY_MS
    start = now - (KEEP_DAYS + 3) * DAY_MS
    with open_writer(tmp_path / "crypto.db") as writer:
        writer.update_coins(Coin(coin, coin[:3], coin) for coin in COINS)
        for coin in COINS:
            times = range(start + 7_000, start + 4 * DAY_MS, STEP_MS)
            writer.store(Price(coin, ts_ms, 1.0 + ts_ms % 977, fetched_ms=ts_ms) for ts_ms in times)
        with open_reader(tmp_path / "crypto.db") as reader:
            expected = {coin: _as_of_grid(reader, coin, start) for coin in COINS}
        stop, wrong, looks = threading.Event(), [], []

        def read() -> None:
            with open_reader(tmp_path / "crypto.db") as reader:
                while not stop.is_set():
                    for coin in COINS:
                        if _as_of_grid(reader, coin, start) != expected[coin]:
                            wrong.append(coin)
                        looks.append(coin)

        threads = [threading.Thread(target=read) for _ in range(2)]
        for thread in threads:
            thread.start()
        retention, polls = Retention(writer, KEEP_DAYS), 0
        while retention.step(now):
            polls += writer.store([Price(coin, now + polls, 1.0, fetched_ms=now) for coin in COINS], clock_ms=now)
        stop.set()
        for thread in threads:
            thread.join()
        old = {coin: len(writer.recent(coin, start)) - polls // len(COINS) for coin in COINS}
    assert wrong == []
    assert looks
    assert polls == len(COINS) * 3 * (len(COINS) + 1)
    assert set(old.values()) == {3 * 288 + DAY_MS // STEP_MS}
    tell("days thinned beside polls and readers", 3, 3)


def _as_of_grid(reader: PriceReader, coin: str, start: int) -> list[tuple[int, float] | None]:
    """The price as of every twelfth grid point of the thinned days."""
    return [reader.as_of(coin, moment) for moment in range(start + GRID_STEP_MS, start + 3 * DAY_MS, 12 * GRID_STEP_MS)]


def test_expired_tables_are_no_longer_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tell: Tell) -> None:
    """Old parts of tables leave the manifest at once, and the disk when no reader can still need them."""
    now = now_ms()
    publisher = Publisher(tmp_path)
    for days in (KEEP_DAYS + 2, KEEP_DAYS + 1, KEEP_DAYS - 1, 0):
        moment = now - days * DAY_MS
        when = pa.array([moment]).cast(pa.timestamp("ms", "UTC"))
        log = pa.table({"coin": ["bitcoin"], "origin": when, "horizon_min": [5]})
        features = pa.table({"coin": ["bitcoin"], "ts": when})
        publisher.publish({}, {"log": (moment, moment, log), "features": (moment, moment, features)})
    files = publisher.manifest.files()
    book = ForecastLog(publisher, now, KEEP_DAYS)
    for _ in range(8):
        book.tidy(now)
    parts = ManifestReader(tmp_path).current().parts
    assert [len(parts[name]) for name in ("log", "features")] == [2, 2]
    assert min(part.start_ms for name in parts for part in parts[name]) == now - (KEEP_DAYS - 1) * DAY_MS
    assert all((tmp_path / file).exists() for file in files)
    monkeypatch.setattr("core.publishing.publisher.KEEP_S", -1.0)
    publisher.sweep()
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.parquet")}
    assert left == publisher.manifest.files()
    tell("parts of tables past their time", 4, 4)
