"""`python -m bench attacks`: what hostile clients of API and dashboard cost the others.

A whole suite runs with a simulated market. While each attack goes on, /prever/bitcoin is asked again and again, and the
pipeline makes its cycles; the yardsticks are those of the same suite left alone. Takes about four minutes.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import psutil

from bench.figures import Figure, exit_code, table
from bench.hostile_clients import ATTACKS, Attack, page_is_served
from bench.suite import percentile_99, watched_suite
from core.processes.health_schema import PIPELINE, PipelineProgress
from core.processes.heartbeat import read_health
from tests.support.running_suite import RunningSuite

__all__ = ["main"]

_PATH: Final = "/prever/bitcoin"
_ALONE: Final = "left alone"
_MOST_TIMES_IDLE: Final = 10.0
_PAUSE_S: Final = 0.01
_PATIENCE_S: Final = 30.0
_COINS: Final = 3
_INTERVAL_S: Final = 5.0
_HISTORY_DAYS: Final = 1
_CYCLES: Final = 3
"""Cycles of the pipeline whose median counts."""


def _p99_ms(suite: RunningSuite, requests: int) -> float:
    times = []
    for _ in range(requests):
        asked = time.perf_counter()
        assert suite.get(_PATH) is not None, f"{_PATH} was not answered"
        times.append(1000 * (time.perf_counter() - asked))
        time.sleep(_PAUSE_S)
    return percentile_99(times)


def _pipeline(suite: RunningSuite) -> PipelineProgress:
    return read_health(suite.run_dir, PIPELINE).progress


def _cycle_s(suite: RunningSuite) -> float:
    """Median seconds of the next cycles that begin now or later."""
    first = (_pipeline(suite).cycle or 0) + 1
    suite.wait(lambda: (_pipeline(suite).cycle or 0) >= first + _CYCLES)
    return statistics.median(_pipeline(suite).recent_cycle_seconds[-_CYCLES:])


def _processor_s(suite: RunningSuite, victim: str) -> float:
    pid = suite.children()[victim].pid
    assert pid is not None
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def _recovery_s(suite: RunningSuite) -> float:
    """Seconds until the dashboard answers a new visitor with its page."""
    began = time.monotonic()
    suite.wait(lambda: page_is_served(suite.dashboard_port), _PATIENCE_S)
    return time.monotonic() - began


def _attacked(suite: RunningSuite, attack: Attack, requests: int, idle_ms: float, idle_cycle_s: float) -> list[Figure]:
    used_s = _processor_s(suite, attack.victim)
    with attack.on(suite):
        p99 = _p99_ms(suite, requests)
        used_s = _processor_s(suite, attack.victim) - used_s
        cycle_s = _cycle_s(suite)
    return [
        Figure(f"processor time, {attack.name}", used_s, "CPU-s"),
        Figure(f"/prever p99, {attack.name}", p99, "ms", _MOST_TIMES_IDLE, _ALONE, idle_ms),
        Figure(f"cycle, {attack.name}", cycle_s, "s", _MOST_TIMES_IDLE, _ALONE, idle_cycle_s),
        Figure(f"page again after {attack.name}", _recovery_s(suite), "s", _PATIENCE_S),
    ]


def _figures(suite: RunningSuite, requests: int) -> Iterator[Figure]:
    before = {name: child.pid for name, child in suite.children().items()}
    _p99_ms(suite, requests)
    idle_ms, idle_cycle_s = _p99_ms(suite, requests), _cycle_s(suite)
    yield Figure("/prever p99, left alone", idle_ms, "ms")
    yield Figure("cycle, left alone", idle_cycle_s, "s")
    for attack in ATTACKS:
        yield from _attacked(suite, attack, requests, idle_ms, idle_cycle_s)
    after = {name: child.pid for name, child in suite.children().items()}
    yield Figure("processes restarted", float(sum(after[name] != pid for name, pid in before.items())), "", 0.0)


def main(arguments: Sequence[str] | None = None) -> int:
    """Attack and print; 1 if a limit was passed."""
    parser = argparse.ArgumentParser(prog="python -m bench attacks", description=__doc__)
    parser.add_argument("--requests", type=int, default=300, help="requests of /prever per attack (default: 300)")
    given = parser.parse_args(arguments)
    with (
        tempfile.TemporaryDirectory() as folder,
        watched_suite(Path(folder), _COINS, _INTERVAL_S, _HISTORY_DAYS, tabs=0) as watch,
    ):
        figures = list(_figures(watch.suite, given.requests))
    print(table(figures))
    return exit_code(figures)
