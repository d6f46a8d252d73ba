"""How long cycles took and how many calls were made, sampled by the dashboard's server since it started."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Final

from core.processes.health_schema import COLLECTOR, PIPELINE
from core.processes.heartbeat import read_health

__all__ = ["RunHistory", "history_of", "sampling"]

SAMPLE_S: Final = 10.0
_KEPT: Final = 360
"""An hour of samples of the calls, three hours of cycles at the usual interval."""


class RunHistory:
    """The newest cycle durations and calls per minute. One thread samples, any may read.

    Attributes:
        cycle_seconds: duration of each cycle seen, oldest first.
        calls_minute: calls of the last minute at each sample, oldest first.
    """

    def __init__(self, run_dir: Path) -> None:
        self._run_dir = run_dir
        self._cycle: int | None = None
        self.cycle_seconds: deque[float] = deque(maxlen=_KEPT)
        self.calls_minute: deque[int] = deque(maxlen=_KEPT)

    def sample(self) -> None:
        """Add what the health files say now; a cycle counts once, a dead process does not count."""
        pipeline, collector = read_health(self._run_dir, PIPELINE), read_health(self._run_dir, COLLECTOR)
        done = pipeline.progress
        if pipeline.alive and done.cycle_seconds is not None and done.cycle != self._cycle:
            self._cycle = done.cycle
            self.cycle_seconds.append(done.cycle_seconds)
        if collector.alive:
            self.calls_minute.append(collector.progress.calls_minute)


@lru_cache(maxsize=2)
def history_of(run_dir: Path) -> RunHistory:
    """The history that all visitors of this server share."""
    return RunHistory(run_dir)


@contextmanager
def sampling(run_dir: Path) -> Iterator[None]:
    """Sample in a thread for as long as the context is open."""
    stop = threading.Event()
    history = history_of(run_dir)

    def run() -> None:
        history.sample()
        while not stop.wait(SAMPLE_S):
            history.sample()

    threading.Thread(target=run, name="run-history", daemon=True).start()
    try:
        yield
    finally:
        stop.set()
