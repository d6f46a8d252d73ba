"""`python -m bench store`: the commit of a poll of 250 coins, and whether queries stay flat while the store grows.

The yardstick of each query is the same query on the smallest store. Where PostgreSQL's programs and its driver are
installed, a server of its own is measured too; its yardstick is SQLite. `--rows 100000000` needs 20 GB.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

from pydantic import SecretStr

from bench.figures import Figure, table
from bench.market import coin_names
from core.forecast_schema import HORIZONS_MIN
from core.price_store import Price, PriceWriter, open_reader, open_writer
from core.reading.coins import quotes
from core.reading.readers import Readers
from core.settings import Settings, load_settings
from core.store_address import StoreAddress
from core.times import DAY_MS, HOUR_MS, MINUTE_MS, now_ms
from core.workspace import open_workspace, publish_source

__all__ = ["figures", "main", "measure_store"]

_COINS: Final = 250
_MANY_COINS: Final = 2_000
_POLL_MS: Final = 30_000
_POLLS: Final = 120
_LARGE_POLLS: Final = 20
_QUERIES: Final = 20
_MOST_RATIO: Final = 3.0
_SERVER_OPTIONS: Final = ("shared_buffers=256MB", "max_wal_size=4GB", "checkpoint_timeout=30min")


def measure_store(folder: Path, rows: int, url: SecretStr | None = None) -> dict[str, Any]:
    """Fill a store in the empty `folder`, or on a server, with `rows` prices, then store polls in it and query it.

    Returns:
        `rows`, whether this `is_server`, and in milliseconds `poll_ms` and `poll_p95_ms` of the commit of a poll of 250
        coins, `large_poll_ms` of one of 2,000, `query_ms` the median of each query, and of a server `round_trip_ms`
        of one that reads nothing.
    """
    settings = load_settings(source="demo", data_dir=folder / "data", models_dir=folder / "models", database_url=url)
    workspace = open_workspace(settings)
    publish_source(settings, workspace, None)
    end_ms = now_ms() - (_POLLS + _LARGE_POLLS) * _POLL_MS
    with open_writer(workspace.store) as writer:
        writer.update_coins(coin_names(_COINS))
        spans = range(end_ms, end_ms - rows // _COINS * _POLL_MS - DAY_MS, -DAY_MS)  # makes a server's partitions
        writer.store((Price(coin_names(1)[0].id, ts_ms, 100.0) for ts_ms in spans), clock_ms=end_ms)
    _fill(workspace.store, rows // _COINS, end_ms)
    with open_writer(workspace.store) as writer:
        polls = [_poll(writer, _COINS, end_ms + number * _POLL_MS) for number in range(1, _POLLS + 1)]
        asked = _ask(settings)
        start_ms = end_ms + _POLLS * _POLL_MS
        large = [_poll(writer, _MANY_COINS, start_ms + number * _POLL_MS) for number in range(1, _LARGE_POLLS + 1)]
    return {
        "rows": rows,
        "is_server": url is not None,
        "poll_ms": statistics.median(polls),
        "poll_p95_ms": statistics.quantiles(polls, n=20)[-1],
        "large_poll_ms": statistics.median(large),
        "query_ms": asked,
        "round_trip_ms": None if url is None else _round_trip_ms(url),
    }


def _fill(store: StoreAddress, per_coin: int, end_ms: int) -> None:
    """Insert rows as the collector stores them; the database makes them itself, so ten million take seconds."""
    if isinstance(store, Path):
        _fill_file(store, per_coin, end_ms)
        return
    import psycopg  # noqa: PLC0415 - the driver need not be installed

    with psycopg.connect(store.url.get_secret_value(), autocommit=True) as connection:
        connection.execute("SELECT set_config('search_path', %s, false)", (store.schema,))
        connection.execute(
            "INSERT INTO prices SELECT c.id, %s - n * %s, 100.0 + (n * 7919 %% 1000) / 500.0, 1e9, 1e7, %s - n * %s "
            "FROM generate_series(%s::bigint, 0, -1) n CROSS JOIN coins c ON CONFLICT DO NOTHING",
            (end_ms, _POLL_MS, end_ms, _POLL_MS, per_coin - 1),
        )
        connection.execute("VACUUM ANALYZE prices")


def _fill_file(database: Path, per_coin: int, end_ms: int) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        for coin in coin_names(_COINS):
            connection.execute(
                "WITH RECURSIVE step(n) AS (SELECT ?1 - 1 UNION ALL SELECT n - 1 FROM step WHERE n > 0) "
                "INSERT OR IGNORE INTO settled_prices "
                "SELECT ?2, ?3 - n * ?4, 100.0 + (n * 7919 % 1000) / 500.0, 1e9, 1e7, ?3 - n * ?4 FROM step",
                (per_coin, coin.id, end_ms, _POLL_MS),
            )


def _poll(writer: PriceWriter, coins: int, ts_ms: int) -> float:
    prices = [Price(coin.id, ts_ms, 100.0 + ts_ms % 7, 1e9, 1e7, ts_ms) for coin in coin_names(coins)]
    started = time.perf_counter()
    assert writer.store(prices, clock_ms=ts_ms) == coins
    return 1000.0 * (time.perf_counter() - started)


def _ask(settings: Settings) -> dict[str, float]:
    """Time each query behind the API's routes and the dashboard's pages, without what they keep in memory."""
    coin, now = coin_names(_COINS)[_COINS // 2].id, now_ms()
    with closing(Readers(settings)) as readers, open_reader(open_workspace(settings).store) as prices:
        ids = [known.id for known in prices.coins()]
        outcomes = [(coin_id, now - horizon * MINUTE_MS) for coin_id in ids for horizon in HORIZONS_MIN]
        asked: dict[str, Callable[[], object]] = {
            "all coins with 24 h change": lambda: quotes(prices, prices.latest()),
            "history, newest 100": lambda: readers.history(coin, 0, now, 100),
            "history, a day in the past": lambda: readers.history(coin, now - 2 * DAY_MS, now - DAY_MS, 1_000),
            "chart, 6 hours": lambda: prices.range(coin, now - 6 * HOUR_MS),
            "price as of a moment": lambda: prices.as_of(coin, now - HOUR_MS),
            f"outcomes of {len(outcomes):,} forecasts": lambda: prices.as_of_each(outcomes),
            "the same, one by one": lambda: [prices.as_of(*moment) for moment in outcomes],
            "newest prices (a cycle)": lambda: prices.since(dict.fromkeys(ids, now)),
        }
        return {name: _median_ms(query) for name, query in asked.items()}


def _round_trip_ms(url: SecretStr) -> float:
    import psycopg  # noqa: PLC0415 - an optional part

    with psycopg.connect(url.get_secret_value(), autocommit=True) as connection:
        return _median_ms(lambda: connection.execute("SELECT 1").fetchone())


def _median_ms(query: Callable[[], object]) -> float:
    query()
    times = []
    for _ in range(_QUERIES):
        started = time.perf_counter()
        query()
        times.append(1000.0 * (time.perf_counter() - started))
    return statistics.median(times)


def figures(measured: Sequence[Mapping[str, Any]]) -> list[Figure]:
    """The commit and the queries of the largest store; the smallest is the yardstick.

    Of a server's stores the yardstick is SQLite with as many rows, and for the growth their own smallest one.
    """
    costs, server = ([cost for cost in measured if cost["is_server"] is kind] for kind in (False, True))
    small, large = costs[0], costs[-1]
    size, small_size = f"{large['rows']:,} prices", f"{small['rows']:,} prices"
    commit = f"a poll of {_COINS} coins committed, {size}"
    found = [
        Figure(commit, large["poll_ms"], "ms", 10),
        Figure(f"{commit}, p95", large["poll_p95_ms"], "ms", None, small_size, small["poll_p95_ms"]),
        *(
            Figure(f"query, {size}: {name}", value, "ms", None, small_size, small["query_ms"][name])
            for name, value in large["query_ms"].items()
        ),
    ]
    for ours, theirs in zip(costs, server, strict=False):
        found += _server_figures(ours, theirs)
    return found + _growth(server)


def _server_figures(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[Figure]:
    size = f"{ours['rows']:,} prices"
    polls = {f"a poll of {_COINS} coins committed": "poll_ms", f"a poll of {_MANY_COINS:,}": "large_poll_ms"}
    pairs = [(name, theirs[key], ours[key]) for name, key in polls.items()]
    pairs += [(f"query: {name}", value, ours["query_ms"][name]) for name, value in theirs["query_ms"].items()]
    return [
        *(Figure(f"PostgreSQL, {size}: {n}", value, "ms", _MOST_RATIO, "SQLite", own) for n, value, own in pairs),
        Figure(f"PostgreSQL, {size}: a query that reads nothing", theirs["round_trip_ms"], "ms"),
    ]


def _growth(server: Sequence[Mapping[str, Any]]) -> list[Figure]:
    """How the queries of the largest store on a server compare with those of the smallest."""
    if len(server) < 2:
        return []
    small, large = server[0], server[-1]
    size, small_size = f"{large['rows']:,} prices", f"{small['rows']:,} prices"
    return [
        Figure(f"PostgreSQL, query, {size}: {name}", value, "ms", None, small_size, small["query_ms"][name])
        for name, value in large["query_ms"].items()
    ]


@contextmanager
def _server_url() -> Iterator[SecretStr | None]:
    """The URL of a new server, or None where its programs or its driver are missing."""
    if importlib.util.find_spec("psycopg") is None:
        yield None
        return
    from tests.support.postgres import find_programs, running_server  # noqa: PLC0415 - needs the driver

    programs = find_programs()
    if programs is None:
        yield None
        return
    with running_server(programs, *_SERVER_OPTIONS) as server:
        yield SecretStr(server.url)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure stores of several sizes, the smallest first, and print."""
    parser = argparse.ArgumentParser(prog="python -m bench store", description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 10_000_000])
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    costs: list[dict[str, Any]] = []
    for rows in given.rows:
        with tempfile.TemporaryDirectory() as folder:
            costs.append(measure_store(Path(folder), rows))
        with _server_url() as url, tempfile.TemporaryDirectory() as folder:
            if url is not None:
                costs.append(measure_store(Path(folder), rows, url))
    print(json.dumps(costs) if given.json else table(figures(costs)))
    return 0
