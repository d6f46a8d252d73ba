"""`python -m bench suite`: the cost of the whole running suite: simulated market, one browser tab open.

Real processes from run_all.py. The simulator stands in for CoinGecko and is not counted. The yardstick of the API's
answers is an empty async route that is asked at the same times.
"""

from __future__ import annotations

import argparse
import json
import signal
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from bench.browser_tabs import open_tabs
from bench.figures import Figure, table
from bench.market import store_simulated
from bench.serving import EMPTY_APP, serve
from bench.suite_watch import NOT_COUNTED, SuiteWatch
from core.processes.health_schema import COLLECTOR, PIPELINE
from core.processes.heartbeat import read_health
from core.publishing.manifest import ManifestReader
from core.publishing.merge_choice import next_merge
from core.settings import Source, load_settings
from core.times import now_ms
from core.workspace import PUBLISHED, open_workspace
from tests.support.running_suite import RunningSuite

__all__ = ["figures", "main", "measure_suite", "percentile_95", "watched_suite"]

_DAY_S: Final = 86_400
_PATIENCE_S: Final = 1800.0
_END_S: Final = 120.0
"""By fast clocks a suite takes longer to end than a test allows."""


@contextmanager
def watched_suite(
    folder: Path, coins: int, interval_s: float, history_days: int, tabs: int = 1
) -> Iterator[SuiteWatch]:
    """Run a suite in the empty `folder` on `history_days` of stored prices, from its first complete cycle on.

    `tabs` browser tabs of the dashboard stay open.
    """
    settings = load_settings(source="demo", data_dir=folder / "dados de março", models_dir=folder / "modelos")
    store_simulated(open_workspace(settings).database, f"top:{coins}", history_days)
    options = ("--demo", "--no-browser", "--coins", f"top:{coins}", "--interval", str(interval_s), "--seed", "0")
    suite = RunningSuite(folder, *options, CRYPTO_CALLS_PER_MINUTE="1000")
    try:
        suite.wait(lambda: _complete(suite, coins), _PATIENCE_S)
        with open_tabs(f"http://127.0.0.1:{suite.dashboard_port}", tabs) as (opened, what):
            print(what, file=sys.stderr)
            yield SuiteWatch(suite, tabs=opened)
    finally:
        suite.end(signal.SIGTERM, orphans_s=_END_S, patience_s=_END_S)


def _complete(suite: RunningSuite, coins: int) -> bool:
    """Whether the collector has polled and finished its back-fill, and a cycle has forecast every coin."""
    pipeline, collector = read_health(suite.run_dir, PIPELINE).progress, read_health(suite.run_dir, COLLECTOR).progress
    filled = collector.last_poll_at is not None and collector.backfill_total == collector.backfill_done
    return filled and pipeline.coins == coins and pipeline.forecast_at is not None


def measure_suite(
    folder: Path, *, coins: int, minutes: float, interval_s: float, history_days: int, asked: str = "/moedas"
) -> dict[str, Any]:
    """Watch a suite that starts in the empty `folder` for `minutes`, and ask its API for `asked` once a second.

    The minutes begin when what the first cycle published is merged, which happens once.

    Returns:
        Memory at the end in MB; gigabytes written a day, extrapolated: `written` as the processes hand them over,
        `paged` as the system counts whole pages; processors kept busy; milliseconds of the API's answers.
    """
    with watched_suite(folder, coins, interval_s, history_days) as watch:
        with serve(EMPTY_APP, {}) as empty:
            watch.empty_port, watch.asked = empty.port, asked
            watch.wait(2 * interval_s)
            while _has_to_merge(watch.suite):
                watch.wait(interval_s)
            first = watch.read()
            watch.wait(60 * minutes)
        last = watch.read()  # without the empty server, which shares pages with the suite
    span = last.at_s - first.at_s
    counted = {name: one for name, one in last.processes.items() if name != NOT_COUNTED}
    daily = {
        name: round((one.written - first.processes[name].written) * _DAY_S / span / 1e9, 3)
        for name, one in counted.items()
    }
    return {
        "coins": coins,
        "minutes": span / 60,
        "memory_mb": last.total("memory_mb"),
        "memory_by_process": {name: round(one.memory_mb, 1) for name, one in counted.items()},
        "cycles": len(watch.cycle_seconds),
        "cycle_p95_s": percentile_95(watch.cycle_seconds.values()),
        "cycle_median_s": statistics.median(watch.cycle_seconds.values()),
        "slowest_steps": dict(watch.slowest_steps),
        "written_by_process": daily,
        "paged_gb_day": (last.total("paged") - first.total("paged")) * _DAY_S / span / 1e9,
        "processors": (last.total("cpu_s") - first.total("cpu_s")) / span,
        **{f"{name}_median_ms": statistics.median(times) for name, times in watch.answer_ms.items()},
        **{f"{name}_p95_ms": percentile_95(times) for name, times in watch.answer_ms.items()},
        **{f"{name}_p99_ms": percentile_99(times) for name, times in watch.answer_ms.items()},
    }


def _has_to_merge(suite: RunningSuite) -> bool:
    """Whether files of closed hours or days are still to be merged."""
    parts = ManifestReader(suite.data_dir / Source.DEMO / PUBLISHED).current().parts
    return any(next_merge(of_table, now_ms()) for of_table in parts.values())


def percentile_95(values: Any) -> float:
    """The 95th percentile, the larger neighbour between two values."""
    ordered = sorted(values)
    return float(ordered[-1 - len(ordered) // 20])


def percentile_99(values: Any) -> float:
    """The 99th percentile, the larger neighbour between two values."""
    ordered = sorted(values)
    return float(ordered[-1 - len(ordered) // 100])


def figures(cost: Mapping[str, Any]) -> list[Figure]:
    """Memory, disk, processors, cycles and answers of one run."""
    coins = f"{cost['coins']} coins"
    memory_limit, disk_limit = (450, 3) if cost["coins"] <= 10 else (900, 10)
    beside = "empty async route"
    return [
        Figure(f"memory of the running suite, {coins}", cost["memory_mb"], "MB", memory_limit),
        Figure(f"bytes written a day, {coins}", cost["paged_gb_day"], "GB", disk_limit),
        Figure(f"cycle beside everything, {coins}, p95 of {cost['cycles']}", cost["cycle_p95_s"], "s", 20),
        Figure(f"processors kept busy, {coins}", cost["processors"], "of 2"),
        Figure(
            f"API beside everything, {coins}, p50", cost["api_median_ms"], "ms", None, beside, cost["empty_median_ms"]
        ),
        Figure(f"API beside everything, {coins}, p95", cost["api_p95_ms"], "ms", None, beside, cost["empty_p95_ms"]),
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench suite", description=__doc__)
    parser.add_argument("--coins", type=int, default=10)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--interval", type=float, default=30.0)
    parser.add_argument("--history-days", type=int, default=14)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    options = {"coins": given.coins, "minutes": given.minutes, "interval_s": given.interval}
    with tempfile.TemporaryDirectory() as folder:
        cost = measure_suite(Path(folder), **options, history_days=given.history_days)
    print(json.dumps(cost) if given.json else table(figures(cost)))
    return 0
