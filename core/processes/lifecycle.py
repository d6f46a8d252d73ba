"""The life of a process of the suite: stop signals, watch over the parent, locks, exit codes."""

from __future__ import annotations

import errno
import io
import logging
import math
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
    EXIT_UNAVAILABLE,
    AlreadyRunning,
    BadInput,
    ConfigurationError,
    ForecastingError,
    Unavailable,
)
from core.files import make_folder
from core.settings import PARENT_VARIABLE
from core.wording import Message, message, say

__all__ = ["WakingEvent", "hold_lock", "lower_priority", "run_main", "run_step", "stop_event", "watch_parent"]

_PARENT_CHECK_S: Final = 1.0
_STOP_GRACE_S: Final = 3.0
_WAKE_S: Final = 0.2
_EXIT_CODES: Final = (
    (Unavailable, EXIT_UNAVAILABLE),
    (ConfigurationError, EXIT_CONFIGURATION),
    (BadInput, EXIT_CONFIGURATION),
    (AlreadyRunning, EXIT_ALREADY_RUNNING),
    (ForecastingError, EXIT_REFUSED),
)
"""The first class that fits names the exit code; what may pass by itself has one that a service manager tries again."""
_REFUSALS: Final = {EXIT_DISK, *(code for _, code in _EXIT_CODES)}
_DISK_ERRORS: Final = {errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT}

_log = logging.getLogger(__name__)


class WakingEvent(threading.Event):
    """An event whose waits are short: Windows runs no signal handler while the main thread waits for a lock."""

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the event is set, or for `timeout` seconds; whether it is set."""
        deadline = math.inf if timeout is None else time.monotonic() + timeout
        while not super().wait(max(0.0, min(_WAKE_S, deadline - time.monotonic()))):
            if time.monotonic() >= deadline:
                return False
        return True


def stop_event() -> threading.Event:
    """Create an event that SIGINT, SIGTERM and (on Windows) SIGBREAK set; call from the main thread."""
    stop = WakingEvent() if os.name == "nt" else threading.Event()

    def handle(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for name in ("SIGINT", "SIGTERM", "SIGBREAK"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), handle)
    return stop


def watch_parent() -> None:
    """End this process within 5 s after its parent, named by CRYPTO_PARENT_PID, has ended.

    SIGTERM first, then `os._exit` after 3 s: an orphan would hold the ports and locks of the next start.
    """
    text = os.environ.get(PARENT_VARIABLE, "")
    if text.isdigit():
        threading.Thread(target=_end_after, args=(int(text),), name="parent-watch", daemon=True).start()


def hold_lock(path: Path, what: Message) -> filelock.BaseFileLock:
    """Lock the file `path`; the operating system releases the lock when the process ends.

    Args:
        path: the lock file.
        what: what it protects, for the message of the error.

    Raises:
        AlreadyRunning: another process holds the lock.
    """
    make_folder(path.parent)
    lock = filelock.FileLock(path)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout as error:
        raise AlreadyRunning(message("lock.held", what=what, path=str(path))) from error
    return lock


def lower_priority() -> None:
    """Lower the priority of this process, so that API and dashboard respond on a busy machine."""
    if sys.platform == "win32":
        psutil.Process().nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)
    else:
        os.nice(10)


def run_main(main: Callable[[], int]) -> int:
    """Run a process's `main`; an error that a person must act on becomes one line and an exit code.

    The exit code tells the supervisor what to do next. Files of the process are readable by this user only.
    Characters that the encoding of the output lacks (a Windows code page has no arrow) become question marks.
    """
    os.umask(0o077)
    _fill_missing_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        return main()
    except ForecastingError as error:
        return _complain(error.message, next(code for kind, code in _EXIT_CODES if isinstance(error, kind)))
    except OSError as error:
        if error.errno not in _DISK_ERRORS:
            raise
        return _complain(message("command.cannot_write", reason=str(error)), EXIT_DISK)


def run_step(main: Callable[[], int]) -> int:
    """Run a command for a person: like `run_main`, but with exit code 2 for all errors.

    Under a supervisor the exit codes are those of `run_main`.
    """
    code = run_main(main)
    return EXIT_REFUSED if code in _REFUSALS and not os.environ.get(PARENT_VARIABLE) else code


def _fill_missing_streams() -> None:
    """Let what is written without an output (pythonw.exe, `>&-`) go nowhere, and no file take the place of one."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115, PTH123 - open until the end


def _complain(problem: Message | str, code: int) -> int:
    print(say(message("command.error", problem=problem)), file=sys.stderr)  # noqa: T201 - a person started this
    return code


def _end_after(parent: int) -> None:
    is_alive = _is_alive(parent)
    while is_alive():
        time.sleep(_PARENT_CHECK_S)
    _log.warning("parent process %d is gone: stopping", parent)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_STOP_GRACE_S)
    os._exit(1)


def _is_alive(parent: int) -> Callable[[], bool]:
    """Make a check whether `parent` runs; Windows keeps the pid of a dead parent, so it asks for the process there."""
    if os.name != "nt":
        return lambda: os.getppid() == parent
    try:
        return psutil.Process(parent).is_running
    except psutil.NoSuchProcess:
        return lambda: False
