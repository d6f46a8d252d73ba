"""`python -m bench shards`: what a cycle costs with the coins in 1, 2 and 4 processes, each against one process.

Each case has a simulated market of its own in an empty folder: prices of `--days` days, five minutes apart, are
learned, then each cycle gets a new price of every coin. A cycle is prices, training and forecasts; nothing is
published.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from bench.market import Market
from bench.process_cost import memory_mb
from core.price_store import open_writer
from core.settings import load_settings
from core.times import GRID_STEP_MS, now_ms
from core.workspace import open_workspace
from model.loop.session import Session, open_session
from model.train import train

__all__ = ["main"]

_CYCLE_MS: Final = 30_000
_STEPS_A_DAY: Final = 288


@dataclass(frozen=True)
class _Cost:
    """Of one case: seconds of the first cycle; medians of the later ones; memory of all processes."""

    first_s: float
    first_cpu_s: float
    cycle_s: float
    cycle_cpu_s: float
    memory_mb: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure every case and print a table."""
    parser = argparse.ArgumentParser(prog="python -m bench shards", description=__doc__)
    parser.add_argument("--coins", type=int, nargs="+", default=[250, 2_000])
    parser.add_argument("--shards", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--days", type=int, default=3)
    parser.add_argument("--cycles", type=int, default=12)
    given = parser.parse_args(arguments)
    print("coins  shards  first cycle s  CPU s  cycle s  CPU s  against one  memory MB")
    for coins in given.coins:
        base: float | None = None
        for shards in given.shards:
            cost = _measure(coins, shards, given.days, given.cycles)
            base = base or cost.cycle_cpu_s
            print(
                f"{coins:>5}  {shards:>6}  {cost.first_s:>13.1f}  {cost.first_cpu_s:>5.1f}  {cost.cycle_s:>7.2f}"
                f"  {cost.cycle_cpu_s:>5.2f}  {cost.cycle_cpu_s / base:>11.2f}  {cost.memory_mb:>9.0f}",
                flush=True,
            )
    return 0


def _measure(coins: int, shards: int, days: int, cycles: int) -> _Cost:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = load_settings(
            source="demo", shards=shards, data_dir=folder / "data", models_dir=folder / "models", log_level="ERROR"
        )
        workspace = open_workspace(settings)
        end_ms = now_ms() // GRID_STEP_MS * GRID_STEP_MS - _CYCLE_MS * (cycles + 1)
        market = Market.stored(workspace.database, coins=coins, rows=days * _STEPS_A_DAY, days=days, end_ms=end_ms)
        with open_writer(workspace.database) as writer, open_session(settings) as session:
            first = _cycle(session, market.now_ms)
            later = [_cycle(session, market.poll(writer, _CYCLE_MS)) for _ in range(cycles)]
            memory = sum(memory_mb(process) for process in _processes())
    wall, cpu = (statistics.median(values) for values in zip(*later, strict=True))
    return _Cost(*first, wall, cpu, memory)


def _cycle(session: Session, now: int) -> tuple[float, float]:
    """Seconds and CPU-seconds of one cycle; every coin must get a forecast."""
    started, cpu = time.perf_counter(), _cpu_s()
    session.pull(now)
    train(session, now)
    forecasts = session.forecast(now)
    session.executor.take_rows()
    assert len(forecasts["coin"].unique()) == len(session.executor.origins), "a coin has no forecast"
    assert not session.executor.late, "a shard was lost"
    return time.perf_counter() - started, _cpu_s() - cpu


def _processes() -> list[psutil.Process]:
    own = psutil.Process(os.getpid())
    return [own, *own.children(recursive=True)]


def _cpu_s() -> float:
    return sum(times.user + times.system for times in (process.cpu_times() for process in _processes()))
