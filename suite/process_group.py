"""Process groups: start one that the terminal's Ctrl+C does not reach, ask it to stop, kill it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

__all__ = ["ask_to_stop", "kill_group", "spawn"]


def spawn(argv: Sequence[str], environment: Mapping[str, str], folder: Path) -> subprocess.Popen[str]:
    """Start `argv` in `folder` as the leader of a new process group, with its output as lines of UTF-8.

    Raises:
        OSError: the program cannot be started.
    """
    flags = 0
    if sys.platform == "win32":
        flags = subprocess.CREATE_NEW_PROCESS_GROUP
    return subprocess.Popen(  # noqa: S603 - the project's own command lines, no shell
        list(argv),
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        bufsize=1,
        start_new_session=sys.platform != "win32",
        creationflags=flags,
    )


def ask_to_stop(process: subprocess.Popen[str]) -> None:
    """Ask the group of `process` to stop; do nothing if it has ended."""
    if process.poll() is not None:
        return
    if sys.platform == "win32":
        with suppress(OSError):  # it has just ended, or there is no console to send the event through
            process.send_signal(signal.CTRL_BREAK_EVENT)
    else:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGTERM)


def kill_group(process: subprocess.Popen[str]) -> None:
    """Kill `process` and everything that it started, even if it has ended itself."""
    if sys.platform == "win32":
        with suppress(psutil.Error):  # gone, or ending just now, which Windows calls access denied
            for descendant in psutil.Process(process.pid).children(recursive=True):
                with suppress(psutil.Error):
                    descendant.kill()
        process.kill()
    else:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
