"""`python -m bench`: every benchmark with fixed seeds, one table; JSON and a chart in reports/bench/.

Each runs as the command `python -m bench NAME` that it is: what this process loads is not theirs, and is not counted as
shared with theirs.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from bench.figures import Figure, table
from bench.plots import Panel, cost_figure
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

    def command(self, benchmark: str, **options: object) -> Any:
        """What `python -m bench BENCHMARK --json` prints with these options; kept as it is."""
        words = [text for name, value in options.items() for text in (f"--{name.replace('_', '-')}", str(value))]
        began = time.monotonic()
        command = [sys.executable, "-m", "bench", benchmark, *words, "--json"]
        done = subprocess.run(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True, check=True)
        result = self.raw[" ".join([benchmark, *words])] = json.loads(done.stdout.splitlines()[-1])
        print(f"{' '.join(command[2:-1])}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
        return result

    def cycle(self, coins: int, rows: int, days: int, log_days: int = 0) -> Mapping[str, Any]:
        """Warm cycles at one size."""
        sizes = {"coins": coins, "rows": rows, "history_days": days, "log_days": log_days}
        cost: Mapping[str, Any] = self.command("cycle", **sizes, cycles=self.cycles)
        return cost

    def add(self, name: str, value: float, unit: str, limit: float | None = None, **yardstick: Any) -> None:
        """Keep one figure."""
        self.figures.append(Figure(name, value, unit, limit, **yardstick))


def _cycles(run: _Run) -> None:
    small = run.cycle(10, 20_000, 7)
    naive = run.command("yardsticks", only="naive", coins=10, rows=20_000, history_days=7)["naive"]
    name = "warm cycle, 10 coins x 20,000 rows"
    run.add(name, small["cpu_s"], "CPU-s", 0.05, yardstick="naive loop", yardstick_value=naive)
    bare = run.command("yardsticks", only="fit", fit_rows=small["fit_rows"])["fit"]
    run.add("its fit alone", small["fit_s"], "s", yardstick="scikit-learn's bare fit", yardstick_value=bare)
    run.add("everything but fit, 10 coins", small["other_s"], "s", 0.5)
    large = run.cycle(250, 4_032, 14)
    run.add("warm cycle, 250 coins x 4,032 rows, alone", large["wall_s"], "s", 10)
    run.add("everything but fit, 250 coins", large["other_s"], "s", 4)
    run.add("models/, 250 coins, 5 versions", large["models_mb"], "MB", 30)
    fortnight = run.cycle(10, 4_032, 14)["start_cpu_s"]
    peers = run.command("yardsticks", only="peers", coins=10, rows=4_032, history_days=14)["peers"]
    if isinstance(peers, str):
        run.remarks.append(f"mlforecast: {peers}")
        return
    name = "features + fit + predict from nothing, 10 coins x 4,032 rows"
    for peer, limit in zip(peers, (0.5, None), strict=True):
        run.add(name, fortnight, "CPU-s", limit, yardstick=peer, yardstick_value=peers[peer])


def _growth(run: _Run) -> list[Panel]:
    coins = {count: run.cycle(count, 2_016, 7)["cpu_mean_s"] for count in (10, 50, 250)}
    history = {days: run.cycle(10, 288 * days, days)["cpu_mean_s"] for days in (1, 7, 30, 365)}
    log = {cost["log_rows"]: cost["cpu_mean_s"] for cost in (run.cycle(10, 2_016, 7, days) for days in (0, 7, 30, 90))}
    empty, *_, full = log.values()
    run.add("warm cycle, 365 days stored", history[365], "CPU-s", 1.15, yardstick="7 days", yardstick_value=history[7])
    run.add("warm cycle, log of 90 days", full, "CPU-s", 1.15, yardstick="empty log", yardstick_value=empty)
    return [
        _panel("CPU-seconds of a warm cycle", "coins, 7 days", coins),
        _panel("… with more history", "days stored, 10 coins", history),
        _panel("… with a longer log", "rows in the log, 10 coins", log),
    ]


def _panel(title: str, axis: str, costs: Mapping[int, float]) -> Panel:
    return Panel(title, axis, [f"{size:,}" for size in costs], list(costs.values()))


def _store(run: _Run) -> None:
    low, high = (run.command("store", rows=rows)[0] for rows in (1_000_000, 10_000_000))
    run.add("a poll of 250 coins committed, 10^7 rows", high["poll_ms"], "ms", 10)
    for name, value in high["query_ms"].items():
        before = low["query_ms"][name]
        run.add(f"query, 10^7 rows: {name}", value, "ms", yardstick="10^6 rows", yardstick_value=before)


def _start(run: _Run) -> None:
    small = run.command("startup", coins=10)
    run.add("process start to first request served, API", small["api_s"], "s", 1.5)
    run.add("process start to first request served, dashboard", small["dashboard_s"], "s", 3)
    run.add("process start to first cycle, pipeline, 10 coins", small["pipeline_s"], "s", 4)
    large = run.command("startup", coins=250, repeats=1)
    run.add("restart to first forecasts, 250 coins x 14 days", large["pipeline_s"], "s", 10)
    run.add("the same without a stored model", large["forecasts_cold_s"], "s", 10)
    run.add("until all 14 days are learned from", large["pipeline_cold_s"], "s")


def _latency(run: _Run) -> None:
    latency = run.command("api_latency", coins=10, hours=24, requests=300)
    floor = latency["floor"][0]
    for path, (median, _, _) in latency["paths"].items():
        run.add(f"GET {path}, p50", median, "ms", yardstick="empty FastAPI route", yardstick_value=floor)


def _suite(run: _Run, coins: int, minutes: float, limits: tuple[float, float]) -> None:
    cost = run.command("suite", coins=coins, minutes=minutes)
    memory, disk = limits
    answers = f"p95 (median {cost['api_median_ms']:.0f} ms)"
    run.add(f"memory of the running suite, {coins} coins ({cost['tab']})", cost["memory_mb"], "MB", memory)
    run.add(f"bytes written a day, {coins} coins", cost["paged_gb_day"], "GB", disk)
    run.add(f"cycle with everything running, {coins} coins, p95 of {cost['cycles']}", cost["cycle_p95_s"], "s", 20)
    run.add(f"processors kept busy, {coins} coins", cost["processors"], "of 2")
    run.add(f"API answer beside it, {coins} coins, {answers}", cost["api_p95_ms"], "ms")


def _report(run: _Run, panels: Sequence[Panel], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    cost_figure(panels).write_html(folder / "cost.html")
    report = {
        "machine": {"processors": os.cpu_count(), "system": platform.platform(), "python": platform.python_version()},
        "figures": [figure.to_json() for figure in run.figures],
        "raw": run.raw,
        "remarks": run.remarks,
    }
    (folder / "bench.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print("\n".join([table(run.figures), *run.remarks, f"JSON and chart: {folder}"]))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run everything and print the table; 1 where a target was missed."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="watch the suite for 3 minutes instead of 7 and 21")
    parser.add_argument("--cycles", type=int, default=12, help="warm cycles behind each median")
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
    _report(run, panels, options.out)
    if os.environ.get(_QUALITY):
        print("\nWhat the forecasts are worth:", flush=True)
        subprocess.run([sys.executable, "-m", "bench.forecast_quality"], cwd=PROJECT, check=True)
    else:
        print(f"bench.forecast_quality: skipped, {_QUALITY} names no recordings")
    return 1 if any(figure.met is False for figure in run.figures) else 0
