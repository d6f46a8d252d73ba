"""Starts run_all.py and watches it from outside, for tests and benchmarks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import psutil

from core.processes.health_schema import PROCESSES, SUITE, ChildStatus
from core.processes.heartbeat import read_health
from core.settings import PROJECT, Settings
from suite.ports import port_problem
from tests.support.ports import reserve_port

__all__ = ["RunningSuite"]

_PATIENCE_S: Final = 60.0
DIRECT: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class RunningSuite:
    """One `python run_all.py` on free ports, started in `folder`, which also holds its data and output.

    `options` go to the command line; `variables` are added to an environment without settings and display;
    `code` runs in place of run_all.py with the same command line, and `wrapper` is a command that starts it.
    """

    def __init__(
        self,
        folder: Path,
        *options: str,
        code: str | None = None,
        wrapper: tuple[str, ...] = (),
        **variables: str,
    ) -> None:
        self.api_port, self.dashboard_port = reserve_port(), reserve_port()
        self.data_dir = folder / "dados de março"
        self.log = folder / f"saída {self.api_port}.txt"
        given = {"api-port": self.api_port, "dashboard-port": self.dashboard_port, "data-dir": self.data_dir}
        words = [word for name, value in given.items() for word in (f"--{name}", str(value))]
        words += ["--models-dir", str(folder / "modelos"), "--interval", "5", *options]
        blank = {f"CRYPTO_{name.upper()}": "" for name in Settings.model_fields}
        kept = {name: value for name, value in os.environ.items() if name not in ("CI", "DISPLAY", "WAYLAND_DISPLAY")}
        with self.log.open("w", encoding="utf-8") as output:
            self.process = subprocess.Popen(
                [*wrapper, sys.executable, *(("-c", code) if code else (str(PROJECT / "run_all.py"),)), *words],
                cwd=folder,
                env={**kept, **blank, "PYTHONUTF8": "1", **variables},
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def run_dir(self) -> Path:
        """Folder of the health files."""
        return self.data_dir / "run"

    @property
    def output(self) -> str:
        """The output so far."""
        return self.log.read_text(encoding="utf-8")

    def get(self, path: str, port: int | None = None) -> Any:
        """Ask the API, or the server at `port`; return its JSON or text, or None unless the status is 200."""
        body = self.fetch(path, port)
        if body is None:
            return None
        text = body.decode()
        return json.loads(text) if text[:1] in "[{" else text

    def fetch(self, path: str, port: int | None = None) -> bytes | None:
        """The body of an answer as it came, or None unless the status is 200."""
        try:
            with DIRECT.open(f"http://127.0.0.1:{port or self.api_port}{path}", timeout=5) as reply:
                body: bytes = reply.read()
        except (OSError, urllib.error.URLError):
            return None
        return body

    def children(self) -> Mapping[str, ChildStatus]:
        """The supervisor's report on its children, by name."""
        return read_health(self.run_dir, SUITE).progress.children

    def wait(self, what: Callable[[], object], patience_s: float = _PATIENCE_S) -> Any:
        """Wait for the first true value of `what` and return it."""
        deadline = time.monotonic() + patience_s
        while not (value := what()):
            assert time.monotonic() < deadline, self.output
            assert self.process.poll() is None, self.output
            time.sleep(0.1)
        return value

    def forecasts(self, coins: tuple[str, ...]) -> dict[str, Any] | None:
        """The forecasts of `coins`, or None until there is one of each."""
        found = {coin: self.get(f"/prever/{coin}") for coin in coins}
        return found if all(found.values()) else None

    def kill_child(self, name: str) -> None:
        """Kill one process with SIGKILL and wait for its successor."""
        pid = self.children()[name].pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        self.wait(lambda: self.children()[name].pid not in (pid, None), 15)

    def beats(self, name: str) -> bool:
        """Whether the process of this name writes its health file."""
        health = read_health(self.run_dir, PROCESSES[name])
        return health.alive and health.pid == self.children()[name].pid

    def family(self) -> list[psutil.Process]:
        """run_all.py and all its descendants."""
        head = psutil.Process(self.process.pid)
        return [head, *head.children(recursive=True)]

    def end(self, number: int, orphans_s: float = 0.5, patience_s: float = 10.0) -> int:
        """Send a signal; every process must be gone and both ports free within `patience_s`.

        Processes that are no children of run_all.py may outlive it for `orphans_s`.
        """
        family = self.family()
        self.process.send_signal(number)
        code = self.process.wait(timeout=patience_s)
        _, alive = psutil.wait_procs(family, timeout=10 if number == signal.SIGKILL else orphans_s)
        assert alive == [], self.output
        assert [port_problem("127.0.0.1", port) for port in (self.api_port, self.dashboard_port)] == [None, None]
        return code
