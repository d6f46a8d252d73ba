"""A running suite seen from outside: memory, open files, CPU time and bytes written per process, and its cycles."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psutil

from bench.open_pages import OpenPages
from bench.process_cost import memory_mb, private_mb, written_bytes
from core.processes.health_schema import PIPELINE, Step
from core.processes.heartbeat import read_health
from tests.support.running_suite import RunningSuite

__all__ = ["NOT_COUNTED", "ProcessReading", "Reading", "SuiteWatch"]

NOT_COUNTED: Final = "simulator"
"""Stands in for CoinGecko; not part of the suite's cost."""


@dataclass(frozen=True)
class ProcessReading:
    """One process at one instant.

    `private_mb` is the part of its memory that no other process shares. Bytes since its start: `written` as handed to
    the system, `paged` as whole pages on the way to a disk.
    """

    memory_mb: float
    private_mb: float
    open_files: int
    threads: int
    cpu_s: float
    written: int
    paged: int


@dataclass(frozen=True)
class Reading:
    """The suite at one instant."""

    at_s: float
    processes: dict[str, ProcessReading]
    wal_mb: float
    disk_mb: float

    def total(self, field_name: str) -> float:
        """Sum of a field over the processes that count."""
        return float(sum(getattr(one, field_name) for name, one in self.processes.items() if name != NOT_COUNTED))


@dataclass
class SuiteWatch:
    """Looks at a suite every second; keeps the seconds of every cycle that ends, and milliseconds of answers.

    `slowest_steps` are the seconds of each step of the slowest cycle.
    `answer_ms` has the API's answers to `asked` as "api" and, with an `empty_port`, those of the empty route there as
    "empty".
    """

    suite: RunningSuite
    asked: str = "/moedas"
    empty_port: int | None = None
    tabs: OpenPages[object] | None = None
    started: float = field(default_factory=time.monotonic)
    cycle_seconds: dict[int, float] = field(default_factory=dict)
    slowest_steps: Mapping[Step, float] = field(default_factory=dict)
    answer_ms: dict[str, list[float]] = field(default_factory=lambda: {"api": [], "empty": []})
    _first: int | None = None

    def wait(self, seconds: float) -> None:
        """Watch for a while.

        Raises:
            AssertionError: the suite ended, a process was restarted, or the API did not answer.
        """
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            assert self.suite.process.poll() is None, self.suite.output
            progress = read_health(self.suite.run_dir, PIPELINE).progress
            if progress.cycle is not None and progress.cycle_seconds is not None:
                self._take(progress.cycle, progress.cycle_seconds, progress.step_seconds)
            self._ask("api", self.asked, self.suite.api_port)
            if self.empty_port:
                self._ask("empty", "/", self.empty_port)
            time.sleep(1.0)
        restarts = {name: child.restarts for name, child in self.suite.children().items()}
        assert not any(restarts.values()), restarts

    def _ask(self, name: str, path: str, port: int) -> None:
        asked = time.perf_counter()
        self.suite.wait(lambda: self.suite.fetch(path, port) is not None)
        self.answer_ms[name].append(1000 * (time.perf_counter() - asked))

    def _take(self, cycle: int, seconds: float, steps: Mapping[Step, float]) -> None:
        if self._first is None:
            self._first = cycle
        if cycle == self._first or cycle in self.cycle_seconds:
            return
        if seconds > max(self.cycle_seconds.values(), default=0.0):
            self.slowest_steps = steps
        self.cycle_seconds[cycle] = seconds

    def read(self) -> Reading:
        """Read every process, the size of the write-ahead log, and of all files."""
        pids = {name: child.pid for name, child in self.suite.children().items()}
        pids["run_all"] = self.suite.process.pid
        files = [path for path in self.suite.data_dir.parent.rglob("*") if path.is_file()]
        sizes = {path: _size(path) for path in files}
        return Reading(
            time.monotonic() - self.started,
            {name: _read(psutil.Process(pid)) for name, pid in pids.items() if pid},
            sum(size for path, size in sizes.items() if path.name == "crypto.db-wal") / 2**20,
            sum(sizes.values()) / 2**20,
        )


def _read(process: psutil.Process) -> ProcessReading:
    times = process.cpu_times()
    return ProcessReading(
        memory_mb(process),
        private_mb(process),
        process.num_fds() if hasattr(process, "num_fds") else 0,
        process.num_threads(),
        times.user + times.system,
        written_bytes(process),
        process.io_counters().write_bytes if hasattr(process, "io_counters") else 0,
    )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # replaced since it was listed
        return 0
