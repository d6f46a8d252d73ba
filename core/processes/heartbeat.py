"""Health files: every process says in data/run/<name>.json what it is doing; readers judge by age and pid."""

from __future__ import annotations

import faulthandler
import logging
import math
import os
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import psutil

from core.errors import DamagedFile
from core.files import read_json, remove_temporaries, write_json
from core.times import iso, now_ms

__all__ = ["BEAT_S", "PATIENCE_S", "STALE_AFTER_S", "Health", "Heartbeat", "read_health"]

BEAT_S: Final = 2.0
STALE_AFTER_S: Final = 12.0
PATIENCE_S: Final = 300.0
"""A main loop that has not got on for so long hangs: the longest step known, a first learning of 250 coins on a busy
machine, takes a tenth of it."""

_log = logging.getLogger(__name__)


class Heartbeat:
    """Writes one process's health file every two seconds and at every change of state; a context manager.

    Each `state` and `progress` is a step of the process's main loop; when none has come for `patience_s`, the beat
    rests until the next one, so that a loop that hangs is seen from outside like a process in which nothing runs.
    Thread-safe. A disk that refuses the file does not stop the process: it is logged once and tried again.
    """

    def __init__(self, run_dir: Path, name: str, patience_s: float = math.inf) -> None:
        self._path = run_dir / f"{name}.json"
        self._name = name
        self._patience_s = patience_s
        self._step_at = time.monotonic()
        self._hangs = False
        self._started_ms = now_ms()
        self._state = "iniciando"
        self._progress: dict[str, Any] = {}
        self._counters: dict[str, int] = {}
        self._last_error: dict[str, str] | None = None
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._write_failed = False
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __enter__(self) -> Self:
        with suppress(OSError):  # a disk that refuses this will be spoken of by the next line
            remove_temporaries(self._path.parent, self._path.name)
        self._write()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._thread.join(timeout=BEAT_S + 1)
        if error is not None and not isinstance(error, SystemExit | KeyboardInterrupt):
            self.error(error)
        self.state("parado")

    def state(self, state: str, **progress: object) -> None:
        """Say what the process is doing now; `progress` replaces the fields of the same name."""
        with self._lock:
            self._step_at = time.monotonic()
            self._state = state
            self._progress.update(progress)
        self._write()

    def progress(self, **fields: object) -> None:
        """Replace progress fields; written with the next beat. Without any it only says that the loop goes on."""
        with self._lock:
            self._step_at = time.monotonic()
            self._progress.update(fields)

    def damaged(self, names: Iterable[str]) -> None:
        """Say at once which damaged files were set aside, with the moment at which each was first named."""
        with self._lock:
            known: dict[str, str] = self._progress.get("damaged", {})
            new = {name: iso(now_ms()) for name in names if name not in known}
            self._progress["damaged"] = known | new
        if new:
            self._write()

    def count(self, **increments: int) -> None:
        """Add to the counters; written with the next beat."""
        with self._lock:
            for name, increment in increments.items():
                self._counters[name] = self._counters.get(name, 0) + increment

    def error(self, error: BaseException | str) -> None:
        """Remember the last error and count it."""
        text = error if isinstance(error, str) else f"{type(error).__name__}: {error}"
        with self._lock:
            self._last_error = {"message": text[:500], "at": iso(now_ms())}
            self._counters["errors"] = self._counters.get("errors", 0) + 1

    def _beat(self) -> None:
        while not self._stopped.wait(BEAT_S):
            if self._goes_on():
                self._write()

    def _goes_on(self) -> bool:
        """Whether the main loop has made a step of late; when that ends, the log is told where every thread is."""
        still_s = time.monotonic() - self._step_at
        hung, self._hangs = self._hangs, still_s > self._patience_s
        if self._hangs and not hung:
            _log.error("no progress for %.0f s: the heartbeat rests", still_s)
            faulthandler.dump_traceback(2)  # standard error, whatever stands for it in Python
        return not self._hangs

    def _write(self) -> None:
        with self._lock:
            value = {
                "name": self._name,
                "pid": os.getpid(),
                "started_at": iso(self._started_ms),
                "heartbeat_at": iso(now_ms()),
                "heartbeat_monotonic": time.monotonic(),
                "state": self._state,
                "progress": dict(self._progress),
                "counters": dict(self._counters),
                "last_error": self._last_error,
            }
            try:
                write_json(self._path, value, durable=False)
                self._write_failed = False
            except OSError as error:
                if not self._write_failed:
                    _log.error("cannot write %s: %s", self._path, error)
                self._write_failed = True


@dataclass(frozen=True)
class Health:
    """One process as its health file and the operating system show it."""

    name: str
    alive: bool
    running: bool = False
    age_s: float | None = None
    pid: int | None = None
    state: str | None = None
    started_at: str | None = None
    heartbeat_at: str | None = None
    progress: dict[str, Any] = field(default_factory=dict)
    counters: dict[str, int] = field(default_factory=dict)
    last_error: dict[str, str] | None = None


def read_health(run_dir: Path, name: str) -> Health:
    """Judge the process `name`: running means that its pid exists, alive that its last beat is younger than 12 s too.

    The age comes from the machine's monotonic clock, so that a jump of the wall clock misleads nobody.
    """
    try:
        value = read_json(run_dir / f"{name}.json")
    except (FileNotFoundError, DamagedFile):
        return Health(name=name, alive=False)
    age_s = time.monotonic() - float(value.get("heartbeat_monotonic", 0.0))
    pid = int(value.get("pid", 0))
    fresh = 0 <= age_s <= STALE_AFTER_S
    running = value.get("state") != "parado" and psutil.pid_exists(pid)
    return Health(
        name=name,
        alive=fresh and running,
        running=running,
        age_s=round(age_s, 1) if age_s >= 0 else None,
        pid=pid,
        state=value.get("state"),
        started_at=value.get("started_at"),
        heartbeat_at=value.get("heartbeat_at"),
        progress=value.get("progress", {}),
        counters=value.get("counters", {}),
        last_error=value.get("last_error"),
    )
