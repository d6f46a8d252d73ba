"""Supervises child processes: starts them, prints their output, restarts those that end or hang, stops them."""

from __future__ import annotations

import random
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.errors import EXIT_CONFIGURATION, ConfigurationError
from core.processes.health_schema import ChildStatus, ProcessState
from core.processes.heartbeat import PATIENCE_S
from core.times import iso, now_ms
from core.wording import Message, message
from suite.console import Console
from suite.heartbeat_watch import HeartbeatWatch
from suite.process_group import ask_to_stop, kill_group, spawn

__all__ = ["ChildSpec", "Supervisor", "Timings"]

_MAX_LINE = 8192


@dataclass(frozen=True)
class ChildSpec:
    """A process: its name (also of its health file), command line and complete environment.

    The others run on without one that is not vital, also while it refuses its settings.
    """

    name: str
    argv: tuple[str, ...]
    environment: Mapping[str, str]
    is_vital: bool = True


@dataclass(frozen=True)
class Timings:
    """Delays and time limits of the supervisor, in seconds."""

    first_backoff: float = 0.5
    max_backoff: float = 10.0
    refused: float = 60.0
    stable: float = 30.0
    starting: float = PATIENCE_S
    silence_warned: float = 60.0
    silence_restarted: float = 90.0
    stop_step: float = 1.5
    stop_total: float = 7.0


class Supervisor:
    """Keeps children running until `stop`; call `tick` several times a second.

    Call all methods from the main thread: on Linux a child ends with the thread that started it.
    """

    def __init__(
        self,
        console: Console,
        folder: Path,
        run_dir: Path,
        timings: Timings | None = None,
        on_change: Callable[[Mapping[str, ChildStatus]], None] = lambda _children: None,
    ) -> None:
        self._console = console
        self._folder = folder
        self._run_dir = run_dir
        self._timings = timings or Timings()
        self._on_change = on_change
        self._children: list[_Child] = []

    def start(self, spec: ChildSpec) -> None:
        """Start a process and keep it running."""
        child = _Child(spec, self._console, self._folder, self._run_dir, self._timings)
        self._children.append(child)
        child.launch()
        self._on_change(self.children())

    def tick(self) -> None:
        """Check every child once and restart those that ended or hang.

        Raises:
            ConfigurationError: a vital child that has never run steadily ended with exit code 78: its settings must
                be changed.
        """
        changed = [child.check() for child in self._children]
        if any(changed):
            self._on_change(self.children())

    def pid(self, name: str) -> int | None:
        """Process id of the child `name`, or None if it does not run."""
        return next((child.pid for child in self._children if child.spec.name == name), None)

    def children(self) -> dict[str, ChildStatus]:
        """State of each child by name."""
        return {child.spec.name: child.describe() for child in self._children}

    def stop(self, hurry: Callable[[], bool] = lambda: False) -> None:
        """Stop all children, the last started first, and kill those that do not end in time.

        Args:
            hurry: when it turns true, the remaining children are killed at once.
        """
        deadline = time.monotonic() + self._timings.stop_total
        for child in reversed(self._children):
            child.ask_to_stop()
            _wait([child], min(deadline, time.monotonic() + self._timings.stop_step), hurry)
        _wait(self._children, deadline, hurry)
        for child in self._children:
            child.finish()
        self._on_change(self.children())


class _Child:
    """A supervised process through all its restarts."""

    def __init__(self, spec: ChildSpec, console: Console, folder: Path, run_dir: Path, timings: Timings) -> None:
        self.spec = spec
        self._console = console
        self._folder = folder
        self._timings = timings
        self._watch = HeartbeatWatch(
            run_dir / f"{spec.name}.json", timings.starting, timings.silence_warned, timings.silence_restarted
        )
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self._started_ms = 0
        self._started = 0.0
        self._restart_at: float | None = None
        self._failures = 0
        self._has_run = False
        self._restarts = 0
        self._last_exit: int | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def ended(self) -> bool:
        return self._process is None or self._process.poll() is not None

    def describe(self) -> ChildStatus:
        idle = ProcessState.STOPPED if self._restart_at is None else ProcessState.RESTARTING
        return ChildStatus(
            pid=self.pid,
            state=ProcessState.RUNNING if self._process else idle,
            restarts=self._restarts,
            last_exit=self._last_exit,
            started_at=iso(self._started_ms),
        )

    def launch(self) -> None:
        self._restart_at = None
        self._started, self._started_ms = time.monotonic(), now_ms()
        try:
            self._process = spawn(self.spec.argv, self.spec.environment, self._folder)
        except OSError as error:
            self._schedule(message("suite.not_started", reason=str(error)))
            return
        self._watch.begin(self._process.pid)
        self._reader = threading.Thread(target=self._read, args=(self._process,), name=self.spec.name, daemon=True)
        self._reader.start()

    def check(self) -> bool:
        """Restart the process if needed.

        Returns:
            Whether its status has changed.
        """
        if self._process is None:
            if self._restart_at is None or time.monotonic() < self._restart_at:
                return False
            self._restarts += 1
            self.launch()
            return True
        if self._process.poll() is None:
            self._check_heartbeat(self._process)
            return False
        code = self._collect()
        is_refusal = code == EXIT_CONFIGURATION
        self._has_run = self._has_run or time.monotonic() - self._started >= self._timings.stable
        if is_refusal and self.spec.is_vital and not self._has_run:
            raise ConfigurationError(message("suite.child_refused", name=self.spec.name))
        self._schedule(_ended(code), self._timings.refused if is_refusal else 0.0)
        return True

    def ask_to_stop(self) -> None:
        self._restart_at = None
        if self._process:
            ask_to_stop(self._process)

    def finish(self) -> None:
        """Kill the process if it still runs, and print its last output."""
        self._restart_at = None
        if self._process is None:
            return
        if self._process.poll() is None:
            self._console.warn(message("suite.killed", name=self.spec.name))
        kill_group(self._process)
        self._collect()

    def _check_heartbeat(self, process: subprocess.Popen[str]) -> None:
        """Warn of a process whose heartbeat has stopped, and kill it later; `check` restarts it."""
        silence = self._watch.look()
        if silence is None:
            return
        if self._watch.overdue:
            self._console.fail(message("suite.silent_restart", name=self.spec.name, silence=round(silence)))
            kill_group(process)
        else:
            self._console.warn(message("suite.silent", name=self.spec.name, silence=round(silence)))

    def _collect(self) -> int:
        """Wait for an ended process, kill what it started, print its last output.

        Returns:
            The exit code.
        """
        process, reader = self._process, self._reader
        if process is None or reader is None:
            raise RuntimeError("nothing to collect")
        kill_group(process)
        code = process.wait()
        reader.join(timeout=1)
        self._process, self._reader, self._last_exit = None, None, code
        return code

    def _schedule(self, reason: Message, least_s: float = 0.0) -> None:
        """Plan the next start; the delay doubles with each failure and is reset after a stable run."""
        now = time.monotonic()
        if now - self._started >= self._timings.stable:
            self._failures = 0
        backoff = min(self._timings.max_backoff, self._timings.first_backoff * 2.0 ** min(self._failures, 16))
        delay = max(backoff, least_s) * random.uniform(1, 1.2)  # noqa: S311 - spreads restarts, protects nothing
        self._failures += 1
        self._restart_at = now + delay
        self._console.fail(
            message("suite.restart_in", name=self.spec.name, what=reason, delay=f"{delay:.1f}".replace(".", ","))
        )

    def _read(self, process: subprocess.Popen[str]) -> None:
        if process.stdout is None:
            raise RuntimeError("spawned without a pipe")
        with process.stdout as stream:
            while line := stream.readline(_MAX_LINE):
                self._console.log(self.spec.name, line.rstrip())


def _ended(code: int) -> Message:
    return message("suite.ended_by_signal", signal=-code) if code < 0 else message("suite.ended_with_code", exit=code)


def _wait(children: Sequence[_Child], deadline: float, hurry: Callable[[], bool]) -> None:
    while not all(child.ended for child in children) and not hurry() and time.monotonic() < deadline:
        time.sleep(0.05)
