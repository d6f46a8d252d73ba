"""`python -m bench store`: the commit of a poll of 250 coins, and whether queries stay flat while the store grows.

The yardstick of each query is the same query on the smallest store.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from bench.figures import Figure, table
from bench.market import coin_names
from core.price_store import Price, PriceWriter, open_reader, open_writer
from core.reading.readers import Readers
from core.settings import Settings, load_settings
from core.times import DAY_MS, HOUR_MS, now_ms
from core.workspace import open_workspace, publish_source

__all__ = ["figures", "main", "measure_store"]

_COINS: Final = 250
_POLL_MS: Final = 30_000
_POLLS: Final = 120
_QUERIES: Final = 20


def measure_store(folder: Path, rows: int) -> dict[str, Any]:
    """Fill a store in the empty `folder` with `rows` prices, then store polls in it and query it.

    Returns:
        Milliseconds: `poll_ms` and `poll_p95_ms` of the commit of a whole poll, `query_ms` the median of each query.
    """
    settings = load_settings(source="demo", data_dir=folder / "data", models_dir=folder / "models")
    workspace = open_workspace(settings)
    publish_source(settings, workspace, None)
    end_ms = now_ms() - _POLLS * _POLL_MS
    with open_writer(workspace.database) as writer:
        writer.update_coins(coin_names(_COINS))
    _fill(workspace.database, rows // _COINS, end_ms)
    with open_writer(workspace.database) as writer:
        polls = [_poll(writer, end_ms + number * _POLL_MS) for number in range(1, _POLLS + 1)]
    slowest_ms = statistics.quantiles(polls, n=20)[-1]
    return {"rows": rows, "poll_ms": statistics.median(polls), "poll_p95_ms": slowest_ms, "query_ms": _ask(settings)}


def _fill(database: Path, per_coin: int, end_ms: int) -> None:
    """Insert rows as the collector stores them; SQLite makes them itself, so ten million take seconds."""
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
    """Time each query behind the API's routes and the dashboard's pages; fresh readers keep caches out of it."""
    coin, now = coin_names(_COINS)[_COINS // 2].id, now_ms()
    readers = Readers(settings)
    with open_reader(open_workspace(settings).database) as prices:
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


def figures(costs: Sequence[Mapping[str, Any]]) -> list[Figure]:
    """The commit and the queries of the largest store; the smallest is the yardstick."""
    small, large = costs[0], costs[-1]
    size, small_size = f"{large['rows']:,} prices", f"{small['rows']:,} prices"
    commit = f"a poll of {_COINS} coins committed, {size}"
    return [
        Figure(commit, large["poll_ms"], "ms", 10),
        Figure(f"{commit}, p95", large["poll_p95_ms"], "ms", None, small_size, small["poll_p95_ms"]),
        *(
            Figure(f"query, {size}: {name}", value, "ms", None, small_size, small["query_ms"][name])
            for name, value in large["query_ms"].items()
        ),
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure stores of several sizes, the smallest first, and print."""
    parser = argparse.ArgumentParser(prog="python -m bench store", description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 10_000_000])
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    costs = []
    for rows in given.rows:
        with tempfile.TemporaryDirectory() as folder:
            costs.append(measure_store(Path(folder), rows))
    print(json.dumps(costs) if given.json else table(figures(costs)))
    return 0
