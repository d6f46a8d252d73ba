"""`python -m bench growth`: what 250 to 5,000 coins cost with 14 days of prices stored, each against its target.

Each size first runs alone: one process that has the pipeline of the suite, with new prices of every coin before each
cycle, 30 seconds apart. What is written is told by file: `latest` each cycle, what a growing table gained three times
(it is merged by hour and, unless it is too large, by day), scores with their merging as measured, the model as often as
it is stored, the prices over the time in which they settle once. `--suite` then runs the whole suite with the largest
size, a simulated market and one browser tab, and asks /prever once a second; with `--no-alone` it is all that runs.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psutil

from bench.figures import Figure, exit_code, table
from bench.market import Market
from bench.process_cost import cpu_s, memory_mb, written_bytes
from bench.stored_pipeline import complete_cycle, stored_pipeline
from bench.suite import measure_suite, percentile_95
from core.price_store import PriceWriter
from core.price_store.sqlite.recent_prices import MOST_MINUTES
from core.publishing.manifest import Part
from core.publishing.merge_choice import MOST_MERGED_ROWS
from core.settings import load_settings
from core.times import DAY_MS, GRID_STEP_MS, HOUR_MS, MINUTE_MS, now_ms
from model.loop.session import Session
from model.pipeline import RENEWALS_A_CYCLE, Pipeline
from model.scoring.naive_benchmark import renewal_ms
from model.train import SAVE_EVERY_MS

__all__ = ["figures", "main", "measure_alone"]

_SIZES: Final = (250, 1_000, 2_000, 5_000)
_INTERVAL_MS: Final = 30_000
_WARM_UP: Final = 14
"""Cycles, 5 minutes apart, after which every horizon of an earlier forecast is scored."""

_MEASURED_FROM_MS: Final = 5 * HOUR_MS + 35 * MINUTE_MS
"""Cycles are measured so long after a renewal of the scores' benchmarks: all were renewed in the cycles before, the
last hour is merged, and the next ends later."""

_MERGED: Final = ("log", "features", "scaled_hours")
_ASKED: Final = "/prever"
_MOST_CYCLE_S: Final = 10.0
_MOST_MEMORY_MB: Final = 2_500.0
_MOST_GB_A_DAY: Final = 25.0
_MOST_ANSWER_MS: Final = 50.0
_FLAT: Final = 1.2
"""Largest ratio of the processor time per coin to that with the fewest coins."""


@dataclass
class _Run:
    """What the measured cycles took; `published` are bytes of tables."""

    wall_s: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)
    steps_s: dict[str, list[float]] = field(default_factory=dict)
    published: int = 0


def measure_alone(folder: Path, *, coins: int, history_days: float, cycles: int) -> dict[str, Any]:
    """Fill a store in the empty `folder`, let the pipeline learn from it, and measure warm cycles.

    Returns:
        Seconds of cycles and their steps, processor milliseconds per coin, memory in MB (`peak_mb` is the largest
        resident set since the start), gigabytes a day by file; `learn_cpu_s` of the first cycle.
    """
    settings = load_settings(source="demo", data_dir=folder / "data", models_dir=folder / "models")
    warm_up = max(_WARM_UP, 2 + coins // RENEWALS_A_CYCLE)
    renewed_ms = renewal_ms(renewal_ms(now_ms()) - 1)
    end_ms = renewed_ms + _MEASURED_FROM_MS - warm_up * GRID_STEP_MS
    rows = round(history_days * DAY_MS / GRID_STEP_MS)
    with stored_pipeline(settings, coins=coins, rows=rows, days=history_days, end_ms=end_ms) as (
        pipeline,
        market,
        writer,
    ):
        session, before = pipeline.session, cpu_s()
        complete_cycle(pipeline, market.now_ms)
        learn_cpu_s = cpu_s() - before
        for _ in range(warm_up):
            complete_cycle(pipeline, market.poll(writer, GRID_STEP_MS))
        while session.forecast_log.tidy(market.now_ms):  # merges are counted by file, not as scores
            pass
        run, since = _Run(), session.publisher.manifest.version
        for _ in range(cycles):
            _measured_cycle(run, pipeline, writer, market)
        session.save_model()
        daily = _gigabytes_a_day(session, run, since, cycles) | _price_gigabytes_a_day(writer, market)
    return {
        "coins": coins,
        "history_days": history_days,
        "cycles": cycles,
        "learn_cpu_s": learn_cpu_s,
        "cycle_p95_s": percentile_95(run.wall_s),
        "cycle_cpu_p95_s": percentile_95(run.cpu_s),
        "cpu_ms_a_coin": 1000 * statistics.mean(run.cpu_s) / coins,
        "memory_mb": memory_mb(),
        "peak_mb": _peak_mb(),
        "gb_a_day": daily,
        "step_s": {name: statistics.mean(seconds) for name, seconds in run.steps_s.items()},
    }


def _measured_cycle(run: _Run, pipeline: Pipeline, writer: PriceWriter, market: Market) -> None:
    now = market.poll(writer, _INTERVAL_MS)
    published = pipeline.session.publisher.bytes_written
    cpu, began = cpu_s(), time.perf_counter()
    complete_cycle(pipeline, now)
    run.wall_s.append(time.perf_counter() - began)
    run.cpu_s.append(cpu_s() - cpu)
    run.published += pipeline.session.publisher.bytes_written - published
    for name, seconds in pipeline.budget.seconds.items():
        run.steps_s.setdefault(name, []).append(seconds)


def _gigabytes_a_day(session: Session, run: _Run, since: int, cycles: int) -> dict[str, float]:
    """What a day of such cycles writes, by file; `since` is the last version before them."""
    folder, manifest = session.publisher.folder, session.publisher.manifest
    a_day = DAY_MS / (cycles * _INTERVAL_MS)
    span, times = {"latest": cycles * (folder / manifest.entries["latest"].file).stat().st_size}, {}
    for name in _MERGED:
        fresh = [part for part in manifest.parts.get(name, ()) if part.level == "slot" and _version(part) > since]
        span[name] = sum((folder / part.file).stat().st_size for part in fresh)
        times[name] = 3 if a_day * sum(part.rows for part in fresh) <= MOST_MERGED_ROWS else 2
    span["scores"] = run.published - sum(span.values())
    daily = {name: a_day * size * times.get(name, 1) for name, size in span.items()}
    daily["models"] = DAY_MS / SAVE_EVERY_MS * max(path.stat().st_size for path in session.workspace.models.iterdir())
    return {name: value / 1e9 for name, value in daily.items()}


def _price_gigabytes_a_day(writer: PriceWriter, market: Market) -> dict[str, float]:
    """What a day of polls writes, measured from one settling of the prices to the next."""
    written, paged = written_bytes(), _paged()
    span_ms = MOST_MINUTES * MINUTE_MS
    for _ in range(span_ms // _INTERVAL_MS):
        market.poll(writer, _INTERVAL_MS)
    writer.maintain()
    a_day = DAY_MS / span_ms / 1e9
    as_written, as_pages = a_day * (written_bytes() - written), a_day * (_paged() - paged)
    return {"prices, as written": as_written, "prices, as pages": as_pages}


def _version(part: Part) -> int:
    """The version of the manifest that first named the part."""
    return int(Path(part.file).stem.rpartition("-")[2])


def _paged() -> int:
    counters = getattr(psutil.Process(), "io_counters", None)
    return 0 if counters is None else int(counters().write_bytes)


def _peak_mb() -> float:
    import resource  # noqa: PLC0415 - not on Windows

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _total(daily: Mapping[str, float]) -> float:
    """Gigabytes a day, the prices as pages."""
    return sum(value for name, value in daily.items() if name != "prices, as written")


def figures(costs: Sequence[Mapping[str, Any]], suite: Mapping[str, Any] | None = None) -> list[Figure]:
    """The figures of each size alone, then those of the suite; the processor time of the first size is a yardstick."""
    base = costs[0] if costs else None
    found: list[Figure] = []
    for cost in costs:
        size = f"{cost['coins']:,} coins alone"
        beside: tuple[float | None, str, float | None] = (None, "", None)
        if base is not None and cost is not base:
            beside = (_FLAT, f"{base['coins']:,} coins", base["cpu_ms_a_coin"])
        found += [
            Figure(f"{size}: cycle, p95 of {cost['cycles']}", cost["cycle_p95_s"], "s", _MOST_CYCLE_S),
            Figure(f"{size}: cycle, p95", cost["cycle_cpu_p95_s"], "CPU-s"),
            Figure(f"{size}: a cycle, each coin", cost["cpu_ms_a_coin"], "CPU-ms", *beside),
            Figure(f"{size}: learning {cost['history_days']:g} days", cost["learn_cpu_s"], "CPU-s"),
            Figure(f"{size}: memory", cost["memory_mb"], "MB", _MOST_MEMORY_MB),
            Figure(f"{size}: memory, largest so far", cost["peak_mb"], "MB", _MOST_MEMORY_MB),
            Figure(f"{size}: written a day", _total(cost["gb_a_day"]), "GB", _MOST_GB_A_DAY),
            *(Figure(f"{size}: written a day, {name}", value, "GB") for name, value in cost["gb_a_day"].items()),
            *(Figure(f"{size}: step {name}, mean", value, "s") for name, value in cost["step_s"].items()),
        ]
    return [*found, *(_suite_figures(suite) if suite else [])]


def _suite_figures(suite: Mapping[str, Any]) -> list[Figure]:
    size = f"{suite['coins']:,} coins, suite"
    by_process = suite["memory_by_process"]
    return [
        Figure(f"{size}: cycle, p95 of {suite['cycles']}", suite["cycle_p95_s"], "s", _MOST_CYCLE_S),
        Figure(f"{size}: cycle, median", suite["cycle_median_s"], "s"),
        *(Figure(f"{size}: {name} in the slowest cycle", value, "s") for name, value in suite["slowest_steps"].items()),
        Figure(f"{size}: memory", suite["memory_mb"], "MB", _MOST_MEMORY_MB),
        *(Figure(f"{size}: memory of {name}", value, "MB") for name, value in by_process.items()),
        Figure(f"{size}: written a day, as pages", suite["paged_gb_day"], "GB", _MOST_GB_A_DAY),
        *(
            Figure(f"{size}: handed over a day by {name}", value, "GB")
            for name, value in suite["written_by_process"].items()
        ),
        Figure(f"{size}: processors kept busy", suite["processors"], "of 2"),
        Figure(f"{size}: {_ASKED}, p99", suite["api_p99_ms"], "ms", _MOST_ANSWER_MS),
    ]


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def _alone(coins: int, history_days: float, cycles: int) -> dict[str, Any]:
    with _folder() as folder:
        return measure_alone(folder, coins=coins, history_days=history_days, cycles=cycles)


def _in_new_process(coins: int, history_days: float, cycles: int) -> dict[str, Any]:
    """Measure in a process of its own, whose memory holds nothing of another size."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_alone, coins, history_days, cycles).result()


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 1 if a target was missed."""
    parser = argparse.ArgumentParser(prog="python -m bench growth", description=__doc__)
    parser.add_argument("--coins", type=int, nargs="+", default=list(_SIZES))
    parser.add_argument("--history-days", type=float, default=14.0)
    parser.add_argument("--cycles", type=int, default=20)
    parser.add_argument(
        "--alone", action=argparse.BooleanOptionalAction, default=True, help="each size in one process (default: yes)"
    )
    parser.add_argument("--suite", action="store_true", help="then the suite, with the largest number of coins")
    parser.add_argument("--minutes", type=float, default=10.0, help="for which the suite is watched")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    costs = []
    for coins in given.coins if given.alone else ():
        costs.append(_in_new_process(coins, given.history_days, given.cycles))
        print(table(figures(costs[-1:])), file=sys.stderr, flush=True)
    suite = None
    if given.suite:
        options = {"coins": max(given.coins), "minutes": given.minutes, "interval_s": _INTERVAL_MS / 1000}
        with _folder() as folder:
            suite = measure_suite(folder, **options, history_days=round(given.history_days), asked=_ASKED)
    found = figures(costs, suite)
    print(json.dumps({"alone": costs, "suite": suite}) if given.json else table(found))
    return exit_code(found)
