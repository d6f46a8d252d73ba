"""`python -m bench store`: what a poll costs the price store, and whether its queries stay flat while it grows."""

from __future__ import annotations

import argparse
import json
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from bench.market import coin_names
from core.price_store import Price, PriceReader, PriceWriter
from core.reading.readers import Readers
from core.settings import Settings, load_settings
from core.times import DAY_MS, HOUR_MS, now_ms
from core.workspace import open_workspace, publish_source

__all__ = ["StoreCost", "main", "measure_store"]

_COINS: Final = 250
_POLL_MS: Final = 30_000
_POLLS: Final = 120
_QUERIES: Final = 20


@dataclass(frozen=True)
class StoreCost:
    """Medians in milliseconds with `rows` prices of 250 coins stored; `poll_p95_ms` of a whole poll's commit."""

    rows: int
    poll_ms: float
    poll_p95_ms: float
    query_ms: dict[str, float]


def measure_store(folder: Path, rows: int) -> StoreCost:
    """Fill a store in the empty `folder` with `rows` prices, then poll it and ask it."""
    settings = load_settings(source="demo", data_dir=folder / "data", models_dir=folder / "models")
    workspace = open_workspace(settings)
    publish_source(settings, workspace, None)
    end_ms = now_ms() - _POLLS * _POLL_MS
    with PriceWriter(workspace.database) as writer:
        writer.update_coins(coin_names(_COINS))
    _fill(workspace.database, rows // _COINS, end_ms)
    with PriceWriter(workspace.database) as writer:
        polls = [_poll(writer, end_ms + number * _POLL_MS) for number in range(1, _POLLS + 1)]
    return StoreCost(rows, statistics.median(polls), statistics.quantiles(polls, n=20)[-1], _ask(settings))


def _fill(database: Path, per_coin: int, end_ms: int) -> None:
    """Rows as the collector stores them, made by SQLite itself: ten million take seconds instead of minutes."""
    with closing(sqlite3.connect(database)) as connection, connection:
        for coin in coin_names(_COINS):
            connection.execute(
                "WITH RECURSIVE step(n) AS (SELECT ?1 - 1 UNION ALL SELECT n - 1 FROM step WHERE n > 0) "
                "INSERT INTO prices SELECT ?2, ?3 - n * ?4, 100.0 + (n * 7919 % 1000) / 500.0, 1e9, 1e7, ?3 - n * ?4 "
                "FROM step",
                (per_coin, coin.id, end_ms, _POLL_MS),
            )


def _poll(writer: PriceWriter, ts_ms: int) -> float:
    prices = [Price(coin.id, ts_ms, 100.0 + ts_ms % 7, 1e9, 1e7, ts_ms) for coin in coin_names(_COINS)]
    started = time.perf_counter()
    assert writer.store(prices, clock_ms=ts_ms) == _COINS
    return 1000.0 * (time.perf_counter() - started)


def _ask(settings: Settings) -> dict[str, float]:
    """Each query behind the API's routes and the dashboard's pages; fresh readers, so that no cache answers."""
    coin, now = coin_names(_COINS)[_COINS // 2].id, now_ms()
    readers = Readers(settings)
    with PriceReader(open_workspace(settings).database) as prices:
        asked: dict[str, Callable[[], object]] = {
            "all coins with 24 h change": lambda: Readers(settings).quotes(),
            "history, newest 100": lambda: readers.history(coin, 0, now, 100),
            "history, a day in the past": lambda: readers.history(coin, now - 2 * DAY_MS, now - DAY_MS, 1_000),
            "chart, 6 hours": lambda: readers.series(coin, now - 6 * HOUR_MS),
            "price as of a moment": lambda: prices.as_of(coin, now - HOUR_MS),
            "newest prices (a cycle)": lambda: [prices.range(one.id, now) for one in prices.coins()],
        }
        return {name: _median_ms(query) for name, query in asked.items()}


def _median_ms(query: Callable[[], object]) -> float:
    query()
    times = []
    for _ in range(_QUERIES):
        started = time.perf_counter()
        query()
        times.append(1000.0 * (time.perf_counter() - started))
    return statistics.median(times)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure stores of several sizes and print a table."""
    parser = argparse.ArgumentParser(prog="python -m bench store", description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000, 10_000_000])
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    costs = []
    for rows in options.rows:
        with tempfile.TemporaryDirectory() as folder:
            costs.append(measure_store(Path(folder), rows))
    if options.json:
        print(json.dumps([asdict(cost) for cost in costs]))
        return 0
    print(f"{'milliseconds, 250 coins':28}" + "".join(f"{cost.rows:>14,}" for cost in costs))
    print(f"{'a poll committed':28}" + "".join(f"{cost.poll_ms:14.2f}" for cost in costs))
    print(f"{'a poll committed, p95':28}" + "".join(f"{cost.poll_p95_ms:14.2f}" for cost in costs))
    for name in costs[0].query_ms:
        print(f"{name:28}" + "".join(f"{cost.query_ms[name]:14.2f}" for cost in costs))
    return 0
