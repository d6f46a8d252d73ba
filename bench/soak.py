"""`python -m bench soak`: run the suite for a given time and print what grows.

For each process memory and open files over time with their slope; write-ahead log, disk, and cycle times.
"""

from __future__ import annotations

import argparse
import json
import signal
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from bench.suite import start_suite
from bench.suite_watch import NOT_COUNTED, Reading, SuiteWatch, open_tab
from tests.support.running_suite import RunningSuite

__all__ = ["main", "slope_per_hour", "watch_for"]


def watch_for(suite: RunningSuite, minutes: float, every_s: float) -> SuiteWatch:
    """Watch a running suite, one reading every `every_s`; a line on the error output for each."""
    watch = SuiteWatch(suite)
    while True:
        reading = watch.read()
        watch.readings.append(reading)
        sizes = " ".join(f"{name} {one.memory_mb:.0f}/{one.open_files}" for name, one in reading.processes.items())
        print(f"{reading.at_s / 60:6.1f} min  MB/files: {sizes}", file=sys.stderr, flush=True)
        left_s = 60 * minutes - reading.at_s
        if left_s <= 0:
            return watch
        watch.wait(min(every_s, left_s))


def slope_per_hour(readings: Sequence[Reading], process: str, what: str) -> float:
    """Least-squares slope per hour of a field of a process over the later half: what start-up takes is not growth."""
    later = readings[len(readings) // 2 :]
    if len(later) < 2:
        return 0.0
    hours = np.array([reading.at_s for reading in later]) / 3600
    return float(np.polyfit(hours, [getattr(reading.processes[process], what) for reading in later], 1)[0])


def _report(watch: SuiteWatch) -> str:
    first, last = watch.readings[0], watch.readings[-1]
    lines = [f"{'process':12} {'MB first':>9} {'MB last':>9} {'MB/h':>8} {'files':>6} {'files/h':>8} {'threads':>8}"]
    for name, now in last.processes.items():
        memory = slope_per_hour(watch.readings, name, "memory_mb")
        files = slope_per_hour(watch.readings, name, "open_files")
        apart = " (stands for CoinGecko)" if name == NOT_COUNTED else ""
        lines.append(
            f"{name:12} {first.processes[name].memory_mb:9.1f} {now.memory_mb:9.1f} {memory:8.2f} "
            f"{now.open_files:6d} {files:8.2f} {now.threads:8d}{apart}"
        )
    hours = max(last.at_s - first.at_s, 1.0) / 3600
    cycles = sorted(watch.cycle_seconds.values())
    written = (last.total("written") - first.total("written")) / hours
    return "\n".join(
        [
            *lines,
            f"disk {first.disk_mb:.1f} → {last.disk_mb:.1f} MB ({(last.disk_mb - first.disk_mb) / hours:+.1f} MB/h), "
            f"write-ahead log at most {max(reading.wal_mb for reading in watch.readings):.1f} MB, "
            f"written {24 * written / 1e9:.2f} GB a day",
            f"{len(cycles)} cycles: median {statistics.median(cycles):.2f} s, "
            f"p95 {cycles[-1 - len(cycles) // 20]:.2f} s, longest {cycles[-1]:.2f} s",
        ]
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Watch and print; the readings as JSON too with `--json`."""
    parser = argparse.ArgumentParser(prog="python -m bench soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--every", type=float, default=60.0, help="seconds between two readings")
    parser.add_argument("--coins", type=int, default=10)
    parser.add_argument("--interval", type=float, default=30.0, help="seconds between two polls and two cycles")
    parser.add_argument("--history-days", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        suite = start_suite(Path(folder), options.coins, options.interval, options.history_days)
        try:
            with open_tab(f"http://127.0.0.1:{suite.dashboard_port}") as tab:
                print(tab, file=sys.stderr)
                watch = watch_for(suite, options.minutes, options.every)
        finally:
            suite.end(signal.SIGTERM)
    print(_report(watch))
    if options.json:
        print(json.dumps({"readings": [asdict(reading) for reading in watch.readings], "cycles": watch.cycle_seconds}))
    return 0
