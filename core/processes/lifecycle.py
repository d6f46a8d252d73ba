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
    EXIT_REFUSED,
    AlreadyRunning,
    BadInput,
    ConfigurationError,
    ForecastingError,
)
from core.settings import PARENT_VARIABLE
from core.wording import Message, message, say

__all__ = ["hold_lock", "lower_priority", "run_main", "run_step", "stop_event", "watch_parent"]

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

    SIGTERM first, then `os._exit` after 3 s: an orphan would hold the ports and locks of the next start.
    """
    text = os.environ.get(PARENT_VARIABLE, "")
    if text.isdigit():
        threading.Thread(target=_wait_for_orphanhood, args=(int(text),), name="parent-watch", daemon=True).start()


def hold_lock(path: Path, what: Message) -> filelock.BaseFileLock:
    """Take the operating system's lock `path`; it ends with the process, so a crash leaves none behind.

    Raises:
        AlreadyRunning: another process has it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(path)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout as error:
        raise AlreadyRunning(message("lock.held", what=what, path=str(path))) from error
    return lock


def lower_priority() -> None:
    """Let API and dashboard go first on a busy machine."""
    if hasattr(os, "nice"):
        os.nice(10)


def run_main(main: Callable[[], int]) -> int:
    """Run a process's `main`; an error that a person must act on becomes one clear line and an exit code.

    The code tells a supervisor what to do next. Files that the process writes are for this user alone.
    """
    os.umask(0o077)
    try:
        return main()
    except (ConfigurationError, BadInput) as error:
        return _complain(error.message, EXIT_CONFIGURATION)
    except AlreadyRunning as error:
        return _complain(error.message, EXIT_ALREADY_RUNNING)
    except ForecastingError as error:
        return _complain(error.message, EXIT_REFUSED)
    except OSError as error:
        if error.errno not in _DISK_ERRORS:
            raise
        return _complain(message("command.cannot_write", reason=str(error)), EXIT_DISK)


def run_step(main: Callable[[], int]) -> int:
    """Run a command that a person starts: like `run_main`, but every refusal has the exit code 2.

    Under a supervisor, which names itself in the environment, the codes are those of `run_main`.
    """
    code = run_main(main)
    if os.environ.get(PARENT_VARIABLE) or code not in (EXIT_CONFIGURATION, EXIT_ALREADY_RUNNING, EXIT_DISK):
        return code
    return EXIT_REFUSED


def _complain(problem: Message | str, code: int) -> int:
    print(say(message("command.error", problem=problem)), file=sys.stderr)  # noqa: T201 - a person started this
    return code


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
