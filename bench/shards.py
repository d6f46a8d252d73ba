"""`python -m bench shards`: what a cycle costs with the coins in 1, 2 and 4 processes, each against one process.

Each case is a pipeline over a simulated market of its own in an empty folder: prices of `--days` days, five minutes
apart, are learned; then `--warm` cycles five minutes apart let forecasts come due, and each measured cycle, `--cycle`
seconds after the last, gets a new price of every coin. A cycle is all that the pipeline does: prices, training,
forecasts, publication, scores, tidying. Other work on the machine makes cycles dearer: of several `--rounds` the
cheapest counts. With `--rebuild` the process of a shard is killed in the middle of one more cycle, and while others
follow at their time the table tells in how many of them its coins are late.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Timer
from typing import Final

import psutil

from bench.market import Market
from bench.process_cost import memory_mb
from bench.stored_pipeline import complete_cycle, stored_pipeline
from core.price_store import PriceWriter
from core.settings import load_settings
from core.times import GRID_STEP_MS, HOUR_MS, MINUTE_MS, now_ms
from model.pipeline import Pipeline

__all__ = ["main"]

_STEPS_A_DAY: Final = 288
_MEASURED_FROM_MS: Final = 35 * MINUTE_MS
"""Measured cycles begin at this minute of an hour: each case merges the same hours before."""

_KILL_AFTER_S: Final = 0.02
"""So long after a cycle has begun, its shards are at work."""


@dataclass(frozen=True)
class _Case:
    """What is measured: sizes, and cycles `cycle_s` apart."""

    coins: int
    shards: int
    days: int
    warm: int
    cycles: int
    cycle_s: float
    rebuild: bool


@dataclass(frozen=True)
class _Rebuild:
    """Cycles in which the coins of a killed process were late, and seconds until all had new forecasts."""

    late_cycles: int
    seconds: float


@dataclass
class _Cost:
    """Of one case: the first cycle; then each measured one, whole and by step; memory of all processes; a rebuild."""

    learn_s: float = 0.0
    learn_cpu_s: float = 0.0
    cycle_s: list[float] = field(default_factory=list)
    cycle_cpu_s: list[float] = field(default_factory=list)
    steps_s: dict[str, list[float]] = field(default_factory=dict)
    memory_mb: float = 0.0
    rebuild: _Rebuild | None = None

    def cpu_s(self) -> float:
        """CPU-seconds of a cycle, on average."""
        return statistics.mean(self.cycle_cpu_s)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure every case and print a table."""
    parser = argparse.ArgumentParser(prog="python -m bench shards", description=__doc__)
    parser.add_argument("--coins", type=int, nargs="+", default=[250, 2_000])
    parser.add_argument("--shards", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--days", type=int, default=3)
    parser.add_argument("--warm", type=int, default=13, help="cycles five minutes apart before those measured")
    parser.add_argument("--cycles", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=1, help="rounds over all numbers of shards; the cheapest counts")
    parser.add_argument("--cycle", type=float, default=30.0, help="seconds from one cycle to the next")
    parser.add_argument("--rebuild", action="store_true", help="kill a process in the end, and time its shard's return")
    parser.add_argument("--steps", action="store_true", help="print the mean duration of each step, too")
    given = parser.parse_args(arguments)
    print("coins  shards  first cycle s  CPU s  cycle s  longest  CPU s  against one  memory MB  late cycles  back s")
    for coins in given.coins:
        cases = [
            _Case(coins, shards, given.days, given.warm, given.cycles, given.cycle, given.rebuild and shards > 1)
            for shards in given.shards
        ]
        rounds = [[_in_new_process(case) for case in cases] for _ in range(given.rounds)]
        costs = [min(of_case, key=_Cost.cpu_s) for of_case in zip(*rounds, strict=True)]
        for case, cost in zip(cases, costs, strict=True):
            print(_line(case, cost, costs[0]), flush=True)
            if given.steps:
                print(
                    "  ", ", ".join(f"{step} {statistics.mean(s):.3f}" for step, s in cost.steps_s.items()), flush=True
                )
    return 0


def _line(case: _Case, cost: _Cost, base: _Cost) -> str:
    rebuilt = "" if cost.rebuild is None else f"  {cost.rebuild.late_cycles:>11}  {cost.rebuild.seconds:>6.1f}"
    return (
        f"{case.coins:>5}  {case.shards:>6}  {cost.learn_s:>13.1f}  {cost.learn_cpu_s:>5.1f}"
        f"  {statistics.mean(cost.cycle_s):>7.2f}  {max(cost.cycle_s):>7.2f}  {cost.cpu_s():>5.3f}"
        f"  {cost.cpu_s() / base.cpu_s():>11.2f}  {cost.memory_mb:>9.0f}{rebuilt}"
    )


def _in_new_process(case: _Case) -> _Cost:
    """Measure in a process of its own, whose memory holds nothing of another case."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_measure, case).result()


def _measure(case: _Case) -> _Cost:
    with tempfile.TemporaryDirectory() as name:
        folders = {"data_dir": Path(name) / "data", "models_dir": Path(name) / "models"}
        settings = load_settings(source="demo", shards=case.shards, interval=case.cycle_s, log_level="ERROR", **folders)
        end_ms = now_ms() // HOUR_MS * HOUR_MS - HOUR_MS + _MEASURED_FROM_MS - case.warm * GRID_STEP_MS
        rows = case.days * _STEPS_A_DAY
        with stored_pipeline(settings, coins=case.coins, rows=rows, days=case.days, end_ms=end_ms) as stored:
            return _run(case, *stored)


def _run(case: _Case, pipeline: Pipeline, market: Market, writer: PriceWriter) -> _Cost:
    cost, step_ms = _Cost(), round(1000 * case.cycle_s)
    cost.learn_s, cost.learn_cpu_s = _cycle(pipeline, market.now_ms)
    for _ in range(case.warm):
        _cycle(pipeline, market.poll(writer, GRID_STEP_MS))
    for _ in range(case.cycles):
        seconds, cpu_s = _cycle(pipeline, market.poll(writer, step_ms))
        cost.cycle_s.append(seconds)
        cost.cycle_cpu_s.append(cpu_s)
        for step, step_s in pipeline.budget.seconds.items():
            cost.steps_s.setdefault(step, []).append(step_s)
    cost.memory_mb = sum(memory_mb(process) for process in _family())
    if case.rebuild:
        cost.rebuild = _rebuild(case, pipeline, market, writer)
    return cost


def _cycle(pipeline: Pipeline, now: int) -> tuple[float, float]:
    """Seconds and CPU-seconds of one cycle, in which every step succeeds and every coin gets its forecast."""
    started, cpu = time.perf_counter(), _cpu_s()
    complete_cycle(pipeline, now)
    seconds, cpu_s = time.perf_counter() - started, _cpu_s() - cpu
    assert not pipeline.session.executor.late, "a shard was lost"
    return seconds, cpu_s


def _rebuild(case: _Case, pipeline: Pipeline, market: Market, writer: PriceWriter) -> _Rebuild:
    """Kill a process in the middle of a cycle, and let others begin at their time until no coin is late any more."""
    leaves = [process for process in _family() if not process.children()]
    victim = max(leaves, key=lambda process: process.memory_info().rss)
    late_cycles, killed = 0, time.perf_counter() + _KILL_AFTER_S
    Timer(_KILL_AFTER_S, victim.kill).start()
    while True:
        begun = time.perf_counter()
        pipeline.cycle(market.poll(writer, round(1000 * case.cycle_s)))
        seconds = time.perf_counter() - killed
        if late_cycles and not pipeline.session.executor.late:
            return _Rebuild(late_cycles, seconds)
        late_cycles += bool(pipeline.session.executor.late)
        time.sleep(max(0.0, begun + case.cycle_s - time.perf_counter()))


def _family() -> list[psutil.Process]:
    own = psutil.Process()
    return [own, *own.children(recursive=True)]


def _cpu_s() -> float:
    return sum(times.user + times.system for times in (process.cpu_times() for process in _family()))
