"""`python -m bench suite`: what the whole suite costs while it runs: simulated market, one browser tab open.

Real processes from run_all.py. The simulator stands for CoinGecko and is not counted.
"""

from __future__ import annotations

import argparse
import json
import signal
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from bench.simulated_history import store_history
from bench.suite_watch import NOT_COUNTED, Reading, SuiteWatch, open_tab
from core.processes.heartbeat import read_health
from core.settings import load_settings
from core.workspace import open_workspace
from tests.support.running_suite import RunningSuite

__all__ = ["SuiteCost", "main", "measure_suite", "start_suite"]

_DAY_S: Final = 86_400
_PATIENCE_S: Final = 900.0


@dataclass(frozen=True)
class SuiteCost:
    """Memory at the end in MB, per process and in sum; cycles in seconds; bytes a day extrapolated from the time
    watched; processors kept busy (2 would be both); what the API took to answer a client that asks once a second.
    """

    coins: int
    interval_s: float
    minutes: float
    tab: str
    memory_mb: float
    memory_by_process: dict[str, float]
    cycles: int
    cycle_median_s: float
    cycle_p95_s: float
    cycle_max_s: float
    written_gb_day: float
    paged_gb_day: float
    written_by_process: dict[str, float]
    processors: float
    models_mb: float
    api_median_ms: float
    api_p95_ms: float


def measure_suite(
    folder: Path, *, coins: int, minutes: float, interval_s: float = 30.0, history_days: int = 14
) -> SuiteCost:
    """Watch a suite that was started in the empty `folder` for `minutes` from its first complete cycle on."""
    suite = start_suite(folder, coins, interval_s, history_days)
    try:
        with open_tab(f"http://127.0.0.1:{suite.dashboard_port}") as tab:
            watch = SuiteWatch(suite)
            watch.wait(2 * interval_s)
            first = watch.read()
            watch.wait(60 * minutes)
            last = watch.read()
        models = sum(path.stat().st_size for path in folder.rglob("model-*.joblib"))
    finally:
        suite.end(signal.SIGTERM)
    return _cost(
        coins=coins,
        interval_s=interval_s,
        tab=tab,
        models=models,
        cycle_seconds=watch.cycle_seconds,
        answer_ms=watch.answer_ms,
        first=first,
        last=last,
    )


def start_suite(folder: Path, coins: int, interval_s: float, history_days: int) -> RunningSuite:
    """A suite with the simulated market, on a store that holds `history_days` of it, after its first complete cycle."""
    settings = load_settings(source="demo", data_dir=folder / "dados de março", models_dir=folder / "modelos")
    store_history(open_workspace(settings).database, f"top:{coins}", history_days)
    options = ("--demo", "--no-browser", "--coins", f"top:{coins}", "--interval", str(interval_s), "--seed", "0")
    suite = RunningSuite(folder, *options, CRYPTO_CALLS_PER_MINUTE="1000")
    try:
        suite.wait(lambda: _complete(suite, coins), _PATIENCE_S)
    except BaseException:
        suite.end(signal.SIGTERM)
        raise
    return suite


def _cost(
    *,
    coins: int,
    interval_s: float,
    tab: str,
    models: int,
    cycle_seconds: dict[int, float],
    answer_ms: list[float],
    first: Reading,
    last: Reading,
) -> SuiteCost:
    span = last.at_s - first.at_s
    per_day = _DAY_S / span / 1e9
    cycles, answers = sorted(cycle_seconds.values()), sorted(answer_ms)
    counted = {name: one for name, one in last.processes.items() if name != NOT_COUNTED}
    return SuiteCost(
        coins=coins,
        interval_s=interval_s,
        minutes=span / 60,
        tab=tab,
        memory_mb=last.total("memory_mb"),
        memory_by_process={name: round(one.memory_mb, 1) for name, one in counted.items()},
        cycles=len(cycles),
        cycle_median_s=statistics.median(cycles),
        cycle_p95_s=cycles[-1 - len(cycles) // 20],
        cycle_max_s=cycles[-1],
        written_gb_day=(last.total("written") - first.total("written")) * per_day,
        paged_gb_day=(last.total("paged") - first.total("paged")) * per_day,
        written_by_process={
            name: round((one.written - first.processes[name].written) * per_day, 3) for name, one in counted.items()
        },
        processors=(last.total("cpu_s") - first.total("cpu_s")) / span,
        models_mb=models / 2**20,
        api_median_ms=statistics.median(answers),
        api_p95_ms=answers[-1 - len(answers) // 20],
    )


def _complete(suite: RunningSuite, coins: int) -> bool:
    """Whether the collector has finished its back-fill and a cycle has forecast every coin."""
    pipeline, collector = (read_health(suite.run_dir, name).progress for name in ("pipeline", "collector"))
    filled = collector.get("backfill_total", 0) and collector["backfill_done"] == collector["backfill_total"]
    return bool(filled) and pipeline.get("coins") == coins and "forecast_at" in pipeline


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench suite", description=__doc__)
    parser.add_argument("--coins", type=int, default=10)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--interval", type=float, default=30.0)
    parser.add_argument("--history-days", type=int, default=14)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        cost = measure_suite(
            Path(folder),
            coins=options.coins,
            minutes=options.minutes,
            interval_s=options.interval,
            history_days=options.history_days,
        )
    if options.json:
        print(json.dumps(asdict(cost)))
    else:
        for name, value in asdict(cost).items():
            print(f"{name:20} {value}")
    return 0
