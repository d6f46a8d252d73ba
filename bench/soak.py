"""`python -m bench soak`: run the suite for a given time and print what grows.

For each process its private memory and open files with their slopes over the later half; the yardstick of each process
is its own memory at the start. Then write-ahead log, disk, and cycle times. Tabs of the dashboard stay open; now and
then the oldest is closed and another opened. Pages without a browser, which cost little, may be open beside them; the
server draws them with each reading.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np

from bench.fast_clock import run_faster
from bench.open_pages import COIN_PAGE, OpenPages, open_pages
from bench.page_client import PageClient, open_page
from bench.suite import percentile_95, watched_suite
from bench.suite_watch import NOT_COUNTED, Reading, SuiteWatch

__all__ = ["main", "slope_per_hour"]


def _watch_for(
    watch: SuiteWatch, pages: OpenPages[PageClient], minutes: float, every_s: float, renew_s: float
) -> list[Reading]:
    """Take a reading every `every_s` and print a line to standard error each time; renew every `renew_s`."""
    readings, renewed_s = [], 0.0
    while True:
        reading = watch.read()
        readings.append(reading)
        sizes = " ".join(f"{name} {one.private_mb:.1f}/{one.open_files}" for name, one in reading.processes.items())
        print(f"{reading.at_s / 60:6.1f} min  MB/files: {sizes}", file=sys.stderr, flush=True)
        left_s = 60 * minutes - reading.at_s
        if left_s <= 0:
            return readings
        for page in pages:
            page.redraw(f"{len(readings):016x}")
        if watch.tabs is not None and reading.at_s - renewed_s >= renew_s:
            watch.tabs.renew()
            pages.renew()
            renewed_s = reading.at_s
        watch.wait(min(every_s, left_s))


def slope_per_hour(readings: Sequence[Reading], process: str, what: str) -> float:
    """Least-squares slope per hour of a field of a process over the later half; the first half is start-up."""
    later = readings[len(readings) // 2 :]
    if len(later) < 2:
        return 0.0
    hours = np.array([reading.at_s for reading in later]) / 3600
    return float(np.polyfit(hours, [getattr(reading.processes[process], what) for reading in later], 1)[0])


def _report(readings: Sequence[Reading], cycle_seconds: Sequence[float]) -> str:
    first, last = readings[0], readings[-1]
    lines = [f"{'process':12} {'MB first':>9} {'MB last':>9} {'ratio':>6} {'MB/h':>8} {'files':>6} {'files/h':>8}"]
    for name, now in last.processes.items():
        before = first.processes[name].private_mb
        memory, files = (slope_per_hour(readings, name, what) for what in ("private_mb", "open_files"))
        remark = " (stands in for CoinGecko)" if name == NOT_COUNTED else ""
        sizes = f"{before:9.1f} {now.private_mb:9.1f} {now.private_mb / before:6.2f} {memory:8.2f}"
        lines.append(f"{name:12} {sizes} {now.open_files:6d} {files:8.2f}{remark}")
    hours = max(last.at_s - first.at_s, 1.0) / 3600
    written = (last.total("written") - first.total("written")) / hours
    return "\n".join(
        [
            *lines,
            f"disk {first.disk_mb:.1f} → {last.disk_mb:.1f} MB ({(last.disk_mb - first.disk_mb) / hours:+.1f} MB/h), "
            f"write-ahead log at most {max(reading.wal_mb for reading in readings):.1f} MB, "
            f"written {24 * written / 1e9:.2f} GB a day",
            f"{len(cycle_seconds)} cycles: median {statistics.median(cycle_seconds):.2f} s, "
            f"p95 {percentile_95(cycle_seconds):.2f} s, longest {max(cycle_seconds):.2f} s",
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
    parser.add_argument("--tabs", type=int, default=1, help="browser tabs of the dashboard that stay open (default: 1)")
    parser.add_argument("--pages", type=int, default=0, help="pages without a browser that stay open too (default: 0)")
    parser.add_argument(
        "--renew", type=float, default=240.0, help="seconds until one tab, and page, is renewed (default: 240)"
    )
    parser.add_argument(
        "--speed",
        type=float,
        default=1.0,
        help="clocks run so many times as fast; Linux with a C compiler (default: 1)",
    )
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    if given.speed != 1.0:
        words = [*(sys.argv[1:] if arguments is None else arguments), "--speed", "1"]
        with tempfile.TemporaryDirectory() as folder:
            return run_faster(given.speed, Path(folder), ["-m", "bench", "soak", *words])
    with (
        tempfile.TemporaryDirectory() as folder,
        watched_suite(Path(folder), given.coins, given.interval, given.history_days, given.tabs) as watch,
        open_pages(partial(open_page, watch.suite.dashboard_port, COIN_PAGE), given.pages) as pages,
    ):
        readings = _watch_for(watch, pages, given.minutes, given.every, given.renew)
    print(_report(readings, list(watch.cycle_seconds.values())))
    if watch.tabs is not None:
        print(f"browser tabs: {given.tabs} open, {watch.tabs.visits} visits")
    print(f"pages without a browser: {given.pages} open, {pages.visits} visits")
    if given.json:
        print(json.dumps({"readings": [asdict(reading) for reading in readings], "cycles": watch.cycle_seconds}))
    return 0
