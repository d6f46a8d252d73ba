"""Health files: every process reports its state in data/run/<name>.json every two seconds."""

from __future__ import annotations

import faulthandler
import logging
import math
import os
import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Generic, Self, cast

import psutil
from pydantic import ConfigDict, TypeAdapter, ValidationError

from core.aside import MOST_NAMED
from core.errors import DamagedFile, message_of
from core.files import read_bytes, remove_temporaries, write_atomically
from core.processes.health_schema import Process, ProcessState, ProgressT
from core.times import iso, now_ms
from core.wording import Message

__all__ = ["BEAT_S", "PATIENCE_S", "STALE_AFTER_S", "Health", "Heartbeat", "LastError", "read_health"]

BEAT_S: Final = 2.0
STALE_AFTER_S: Final = 12.0
PATIENCE_S: Final = 300.0
"""A main loop without progress for this long hangs. The longest known step, the first training on 250 coins on a busy
machine, takes a tenth of it."""

_MAX_ERROR_LENGTH: Final = 500

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LastError:
    """The newest error of a process: its class, its message and its time (ISO 8601, UTC)."""

    kind: str
    message: Message | str
    at: str


@dataclass(frozen=True)
class _Record(Generic[ProgressT]):
    """The content of a health file; `damaged` maps files that were set aside to the time of discovery."""

    name: str
    pid: int
    started_at: str
    heartbeat_at: str
    heartbeat_monotonic: float
    state: ProcessState
    progress: ProgressT
    counters: Mapping[str, int] = field(default_factory=dict)
    damaged: Mapping[str, str] = field(default_factory=dict)
    last_error: LastError | None = None


@cache
def _adapter(process: Process[Any]) -> TypeAdapter[Any]:
    return TypeAdapter(cast("Any", _Record)[process.progress], config=ConfigDict(cache_strings="keys"))


class Heartbeat(Generic[ProgressT]):
    """Writes one process's health file every two seconds and at every change of state; a context manager.

    Calls of `state` and `progress` mark steps of the main loop. If none comes for `patience_s`, the heartbeat pauses
    until the next one, so that a hung loop looks from outside like a suspended process. If the file cannot be written,
    this is logged once and retried. Thread-safe.
    """

    def __init__(self, run_dir: Path, process: Process[ProgressT], patience_s: float = math.inf) -> None:
        self._path = run_dir / f"{process.name}.json"
        self._process = process
        self._patience_s = patience_s
        self._step_at = time.monotonic()
        self._hangs = False
        self._started_ms = now_ms()
        self._state = ProcessState.STARTING
        self._progress = process.progress()
        self._counters: dict[str, int] = {}
        self._damaged: dict[str, str] = {}
        self._last_error: LastError | None = None
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._write_failed = False
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __enter__(self) -> Self:
        with suppress(OSError):  # the first write reports a disk that cannot be written
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
        self.state(ProcessState.STOPPED)

    def state(self, state: ProcessState, progress: ProgressT | None = None) -> None:
        """Write a new state at once; `progress`, if given, replaces the record."""
        with self._lock:
            self._step_at = time.monotonic()
            self._state = state
            self._progress = self._progress if progress is None else progress
        self._write()

    def progress(self, progress: ProgressT | None = None) -> None:
        """Replace the record, which the next beat writes; without an argument only mark a step."""
        with self._lock:
            self._step_at = time.monotonic()
            self._progress = self._progress if progress is None else progress

    def damaged(self, names: Iterable[str]) -> None:
        """Report at once which damaged files were set aside, with the time of its first report; keep the newest."""
        named = tuple(names)
        with self._lock:
            new = {name: iso(now_ms()) for name in named if name not in self._damaged}
            known = self._damaged | new
            kept = {*named, *tuple(known)[-MOST_NAMED:]}
            self._damaged = {name: at for name, at in known.items() if name in kept}
        if new:
            self._write()

    def count(self, **increments: int) -> None:
        """Add to the counters; the next beat writes them."""
        with self._lock:
            for name, increment in increments.items():
                self._counters[name] = self._counters.get(name, 0) + increment

    def error(self, error: BaseException | Message) -> None:
        """Remember the last error and count it."""
        kind = "" if isinstance(error, Message) else type(error).__name__
        text = error if isinstance(error, Message) else _text(error)
        with self._lock:
            self._last_error = LastError(kind, text, iso(now_ms()))
            self._counters["errors"] = self._counters.get("errors", 0) + 1

    def _beat(self) -> None:
        while not self._stopped.wait(BEAT_S):
            if self._advances():
                self._write()

    def _advances(self) -> bool:
        """Whether the main loop made a step within `patience_s`; log where each thread is when it hangs."""
        idle_s = time.monotonic() - self._step_at
        hung, self._hangs = self._hangs, idle_s > self._patience_s
        if self._hangs and not hung:
            _log.error("no progress for %.0f s: the heartbeat pauses", idle_s)
            faulthandler.dump_traceback(2)  # standard error, even if Python's sys.stderr was replaced
        return not self._hangs

    def _write(self) -> None:
        with self._lock:
            record = _Record(
                name=self._process.name,
                pid=os.getpid(),
                started_at=iso(self._started_ms),
                heartbeat_at=iso(now_ms()),
                heartbeat_monotonic=time.monotonic(),
                state=self._state,
                progress=self._progress,
                counters=dict(self._counters),
                damaged=dict(self._damaged),
                last_error=self._last_error,
            )
            try:
                write_atomically(self._path, _adapter(self._process).dump_json(record), durable=False)
                self._write_failed = False
            except OSError as error:
                if not self._write_failed:
                    _log.error("cannot write %s: %s", self._path, error)
                self._write_failed = True


def _text(error: BaseException) -> Message | str:
    message = message_of(error)
    return message[:_MAX_ERROR_LENGTH] if isinstance(message, str) else message


@dataclass(frozen=True)
class Health(Generic[ProgressT]):
    """One process, from its health file and the operating system.

    `running`: the pid exists and the state is not "stopped". `alive`: also, the last heartbeat is at most 12 s old.
    """

    name: str
    progress: ProgressT
    alive: bool = False
    running: bool = False
    age_s: float | None = None
    pid: int | None = None
    state: ProcessState | None = None
    started_at: str | None = None
    heartbeat_at: str | None = None
    counters: Mapping[str, int] = field(default_factory=dict)
    damaged: Mapping[str, str] = field(default_factory=dict)
    last_error: LastError | None = None


def read_health(run_dir: Path, process: Process[ProgressT]) -> Health[ProgressT]:
    """Read the health file of `process`; without a valid file it does not run.

    The age is measured by the machine's monotonic clock, so a jump of the wall clock does not change it.
    """
    try:
        record: _Record[ProgressT] = _adapter(process).validate_json(read_bytes(run_dir / f"{process.name}.json"))
    except (FileNotFoundError, DamagedFile, ValidationError):
        return Health(process.name, process.progress())
    age_s = time.monotonic() - record.heartbeat_monotonic
    running = record.state is not ProcessState.STOPPED and psutil.pid_exists(record.pid)
    return Health(
        name=process.name,
        progress=record.progress,
        alive=running and 0 <= age_s <= STALE_AFTER_S,
        running=running,
        age_s=round(age_s, 1) if age_s >= 0 else None,
        pid=record.pid,
        state=record.state,
        started_at=record.started_at,
        heartbeat_at=record.heartbeat_at,
        counters=record.counters,
        damaged=record.damaged,
        last_error=record.last_error,
    )
