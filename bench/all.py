"""`python -m bench`: every benchmark with fixed seeds, one table; JSON and charts in reports/bench/."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, Final

from bench.api_latency import measure_latency
from bench.cycle import CycleCost, measure_cycles
from bench.figures import Figure, table
from bench.plots import Panel, cost_figure
from bench.startup import measure_start
from bench.store import measure_store
from bench.suite import SuiteCost, measure_suite
from bench.yardsticks import bare_fit_cpu_s, naive_loop_cpu_s, peers
from core.settings import PROJECT

__all__ = ["main"]

_QUALITY: Final = "CRYPTO_TEST_DATA"


class _Run:
    """Collects figures, raw results and remarks, and says what it is doing."""

    def __init__(self, cycles: int) -> None:
        self.cycles = cycles
        self.figures: list[Figure] = []
        self.raw: dict[str, Any] = {}
        self.remarks: list[str] = []

    def in_folder(self, name: str, measure: Callable[[Path], Any]) -> Any:
        """What `measure` makes in a fresh folder; its fields are kept under `name`."""
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            result = measure(Path(folder))
        self.raw[name] = asdict(result)
        print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
        return result

    def cycle(self, coins: int, rows: int, days: float, log_days: int = 0) -> CycleCost:
        """Warm cycles at one size."""
        cost: CycleCost = self.in_folder(
            f"cycle {coins} coins x {rows} rows, {days:g} days, log of {log_days} days",
            lambda folder: measure_cycles(
                folder, coins=coins, rows=rows, history_days=days, cycles=self.cycles, log_days=log_days
            ),
        )
        return cost

    def add(self, name: str, value: float, unit: str, limit: float | None = None, **yardstick: Any) -> None:
        """Keep one figure."""
        self.figures.append(Figure(name, value, unit, limit, **yardstick))


def _cycles(run: _Run) -> None:
    small = run.cycle(10, 20_000, 7)
    naive = naive_loop_cpu_s(10, 20_000, 7)
    run.add(
        "warm cycle, 10 coins x 20,000 rows", small.cpu_s, "CPU-s", 0.05, yardstick="naive loop", yardstick_value=naive
    )
    bare = bare_fit_cpu_s(small.fit_rows, 1)
    run.add("its fit alone", small.fit_s, "s", yardstick="scikit-learn's bare fit", yardstick_value=bare)
    run.add("everything but fit, 10 coins", small.other_s, "s", 0.5)
    large = run.cycle(250, 4_032, 14)
    run.add("warm cycle, 250 coins x 4,032 rows, alone", large.wall_s, "s", 10)
    run.add("everything but fit, 250 coins", large.other_s, "s", 4)
    run.add("models/, 250 coins, 5 versions", large.models_mb, "MB", 30)
    fortnight = run.cycle(10, 4_032, 14)
    found = peers(10, 4_032, 14)
    if isinstance(found, str):
        run.remarks.append(f"mlforecast: {found}")
        return
    ours = fortnight.start_cpu_s
    for peer, limit in zip(found, (0.5, None), strict=True):
        run.add(
            "features + fit + predict from nothing, 10 coins x 4,032 rows",
            ours,
            "CPU-s",
            limit,
            yardstick=peer.name,
            yardstick_value=peer.cpu_s,
        )


def _growth(run: _Run) -> list[Panel]:
    coins = {count: run.cycle(count, 2_016, 7).cpu_mean_s for count in (10, 50, 250)}
    history = {days: run.cycle(10, 288 * days, days).cpu_mean_s for days in (1, 7, 30, 365)}
    log = {days: run.cycle(10, 2_016, 7, days) for days in (0, 7, 30, 90)}
    run.add("warm cycle, 365 days stored", history[365], "CPU-s", 1.15, yardstick="7 days", yardstick_value=history[7])
    run.add(
        "warm cycle, log of 90 days",
        log[90].cpu_mean_s,
        "CPU-s",
        1.15,
        yardstick="empty log",
        yardstick_value=log[0].cpu_mean_s,
    )
    return [
        Panel("CPU-seconds of a warm cycle", "coins, 7 days", [str(count) for count in coins], list(coins.values())),
        Panel("… with more history", "days stored, 10 coins", [str(d) for d in history], list(history.values())),
        Panel(
            "… with a longer log",
            "rows in the log, 10 coins",
            [f"{cost.log_rows:,}" for cost in log.values()],
            [cost.cpu_mean_s for cost in log.values()],
        ),
    ]


def _store(run: _Run) -> None:
    _, low, high = (
        run.in_folder(f"store of {rows} rows", partial(measure_store, rows=rows))
        for rows in (100_000, 1_000_000, 10_000_000)
    )
    run.add("a poll of 250 coins committed, 10^7 rows", high.poll_ms, "ms", 10)
    for name, milliseconds in high.query_ms.items():
        run.add(
            f"query, 10^7 rows: {name}", milliseconds, "ms", yardstick="10^6 rows", yardstick_value=low.query_ms[name]
        )


def _start(run: _Run) -> None:
    small = run.in_folder("start, 10 coins", lambda folder: measure_start(folder, coins=10))
    run.add("process start to first request served, API", small.api_s, "s", 1.5)
    run.add("process start to first request served, dashboard", small.dashboard_s, "s", 3)
    run.add("process start to first cycle, pipeline, 10 coins", small.pipeline_s, "s", 4)
    large = run.in_folder("start, 250 coins", lambda folder: measure_start(folder, coins=250, repeats=1))
    run.add("restart to first forecasts, 250 coins x 14 days", large.pipeline_s, "s", 10)
    run.add("the same without a stored model", large.forecasts_cold_s, "s", 10)
    run.add("until all 14 days are learned from", large.pipeline_cold_s, "s")


def _latency(run: _Run) -> None:
    latency = run.in_folder("API latency", lambda folder: measure_latency(folder, coins=10, hours=24, requests=300))
    for path, (median, _, _) in latency.paths.items():
        run.add(f"GET {path}, p50", median, "ms", yardstick="empty FastAPI route", yardstick_value=latency.floor[0])


def _suite(run: _Run, coins: int, minutes: float, limits: tuple[float, float]) -> None:
    cost: SuiteCost = run.in_folder(
        f"suite, {coins} coins", lambda folder: measure_suite(folder, coins=coins, minutes=minutes)
    )
    memory, disk = limits
    run.add(f"memory of the running suite, {coins} coins ({cost.tab})", cost.memory_mb, "MB", memory)
    run.add(f"bytes written a day, {coins} coins", cost.paged_gb_day, "GB", disk)
    run.add(f"cycle with everything running, {coins} coins, p95 of {cost.cycles}", cost.cycle_p95_s, "s", 20)
    run.add(f"processors kept busy, {coins} coins", cost.processors, "of 2")
    run.add(f"API answer beside it, {coins} coins, p95 (median {cost.api_median_ms:.0f} ms)", cost.api_p95_ms, "ms")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run everything and print the table; 1 where a target was missed."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="watch the suite for 3 minutes instead of 21")
    parser.add_argument(
        "--cycles", type=int, default=12, help="warm cycles behind each median; one in three stores the model"
    )
    parser.add_argument("--out", type=Path, default=PROJECT / "reports" / "bench")
    options = parser.parse_args(arguments)
    run = _Run(options.cycles)
    _cycles(run)
    panels = _growth(run)
    _store(run)
    _start(run)
    _latency(run)
    _suite(run, 10, 3 if options.quick else 7, (450, 3))
    _suite(run, 250, 3 if options.quick else 21, (900, 10))
    options.out.mkdir(parents=True, exist_ok=True)
    cost_figure(panels).write_html(options.out / "cost.html")
    report = {
        "machine": {"processors": os.cpu_count(), "system": platform.platform(), "python": platform.python_version()},
        "figures": [figure.to_json() for figure in run.figures],
        "raw": run.raw,
        "remarks": run.remarks,
    }
    (options.out / "bench.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print("\n".join([table(run.figures), *run.remarks, f"JSON and charts: {options.out}"]))
    if os.environ.get(_QUALITY):
        print("\nWhat the forecasts are worth:", flush=True)
        subprocess.run([sys.executable, "-m", "bench.forecast_quality"], cwd=PROJECT, check=True)
    else:
        print(f"bench.forecast_quality: skipped, {_QUALITY} names no recordings")
    return 1 if any(figure.met is False for figure in run.figures) else 0
