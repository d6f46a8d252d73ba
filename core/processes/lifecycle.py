"""What every process of the suite does alike: stop signals, orphan watch, locks, exit codes."""

from __future__ import annotations

import errno
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Final

import filelock
import psutil

from core.errors import (
    EXIT_ALREADY_RUNNING,
    EXIT_CONFIGURATION,
    EXIT_DISK,
    AlreadyRunning,
    BadInput,
    ConfigurationError,
)

__all__ = ["PARENT_VARIABLE", "hold_lock", "lower_priority", "run_main", "stop_event", "watch_parent"]

PARENT_VARIABLE: Final = "CRYPTO_PARENT_PID"
_PARENT_CHECK_S: Final = 1.0
_STOP_GRACE_S: Final = 3.0
_DISK_ERRORS: Final = {errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT}

_log = logging.getLogger(__name__)


def stop_event() -> threading.Event:
    """An event that SIGINT, SIGTERM and (on Windows) SIGBREAK set; call from the main thread."""
    stop = threading.Event()

    def handle(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for name in ("SIGINT", "SIGTERM", "SIGBREAK"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), handle)
    return stop


def watch_parent() -> None:
    """End this process within 5 s of losing the one that started it (named by CRYPTO_PARENT_PID).

    A soft stop first; whoever hangs is ended hard: an orphan holds ports and locks of the next start.
    """
    text = os.environ.get(PARENT_VARIABLE, "")
    if text.isdigit():
        threading.Thread(target=_wait_for_orphanhood, args=(int(text),), name="parent-watch", daemon=True).start()


def hold_lock(path: Path, what: str) -> filelock.BaseFileLock:
    """Take the operating system's lock `path`; it ends with the process, so a crash leaves none behind.

    Raises:
        AlreadyRunning: another process has it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(path)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout as error:
        raise AlreadyRunning(f"{what} já está em uso por outro processo ({path})") from error
    return lock


def lower_priority() -> None:
    """Let API and dashboard go first on a busy machine."""
    if hasattr(os, "nice"):
        os.nice(10)


def run_main(main: Callable[[], int]) -> int:
    """Run a process's `main`, turning the errors a person must act on into one clear line and an exit code.

    Whatever it writes is for this user alone.
    """
    os.umask(0o077)
    try:
        return main()
    except (ConfigurationError, BadInput) as error:
        print(f"Erro: {error}", file=sys.stderr)  # noqa: T201 - a person started this command
        return EXIT_CONFIGURATION
    except AlreadyRunning as error:
        print(f"Erro: {error}", file=sys.stderr)  # noqa: T201 - as above
        return EXIT_ALREADY_RUNNING
    except OSError as error:
        if error.errno not in _DISK_ERRORS:
            raise
        print(f"Erro: não é possível gravar: {error}", file=sys.stderr)  # noqa: T201 - as above
        return EXIT_DISK


def _wait_for_orphanhood(parent: int) -> None:
    alive = _sign_of_life(parent)
    while alive():
        time.sleep(_PARENT_CHECK_S)
    _log.warning("parent process %d is gone: stopping", parent)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_STOP_GRACE_S)
    os._exit(1)


def _sign_of_life(parent: int) -> Callable[[], bool]:
    """Tells whether `parent` lives; Windows goes on naming a dead parent, so there the process itself is looked at."""
    if os.name != "nt":
        return lambda: os.getppid() == parent
    try:
        return psutil.Process(parent).is_running
    except psutil.NoSuchProcess:
        return lambda: False
