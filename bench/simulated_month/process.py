"""The process of a simulated machine, as seen from outside: started again and again from one that has loaded all."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import psutil

from core.settings import PROJECT

__all__ = ["MachineProcess"]


class MachineProcess:
    """At most one process at a time; a context manager that ends it."""

    def __init__(self, folder: Path, variables: Mapping[str, str]) -> None:
        environment = {name: text for name, text in os.environ.items() if not name.startswith("CRYPTO_")}
        environment |= variables
        command = [sys.executable, "-m", "bench.simulated_month.machine", str(folder)]
        with (folder / "machine.log").open("ab") as log:
            self._loaded = subprocess.Popen(
                command,
                cwd=PROJECT,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                bufsize=0,
            )
        self._pid: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pid is not None and psutil.pid_exists(self._pid):
            self.seen.kill()
        assert self._loaded.stdin is not None
        assert self._loaded.stdout is not None
        self._loaded.stdin.close()
        self._loaded.wait()
        self._loaded.stdout.close()

    def start(self) -> None:
        """Start the process; none may live."""
        assert self._loaded.stdin is not None
        self._loaded.stdin.write(b"start\n")
        self._pid = int(self._line())

    def end(self, number: signal.Signals) -> int:
        """Send a signal and wait for the end; the exit code."""
        self.seen.send_signal(number)
        return self._ended()

    def ended_by_itself(self) -> int | None:
        """The exit code of a process that has ended, None while it lives."""
        assert self._loaded.stdout is not None
        return self._ended() if select.select([self._loaded.stdout], [], [], 0)[0] else None

    @property
    def seen(self) -> psutil.Process:
        """The process, for those who measure or stop it."""
        return psutil.Process(self._pid)

    def _ended(self) -> int:
        self._pid = None
        return int(self._line())

    def _line(self) -> bytes:
        assert self._loaded.stdout is not None
        line = self._loaded.stdout.readline()
        if not line:
            raise RuntimeError("the machine cannot be started: see machine.log")
        return line
