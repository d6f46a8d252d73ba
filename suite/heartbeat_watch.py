"""Detects live processes whose heartbeat has stopped or never began: suspended, hung, or without its health file."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from core.errors import DamagedFile
from core.files import check_writable, read_json

__all__ = ["HeartbeatWatch"]

_READ_EVERY_S: Final = 1.0
_MAX_GAP_S: Final = 10.0


class HeartbeatWatch:
    """Follows one health file. A process is silent since its last heartbeat was seen, even if the file is lost then.

    Silence is measured on this process's own clock; the times in the file are only compared for being new. If this
    process itself paused (a sleeping laptop), the silence counts from its return.

    Args:
        path: the health file.
        starting_s: how much longer a process may be silent before its first heartbeat.
        warn_after_s: silence to report.
        overdue_after_s: silence after which a restart is due.
        clock: seconds; it does not jump.
    """

    def __init__(
        self,
        path: Path,
        starting_s: float,
        warn_after_s: float,
        overdue_after_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = path
        self._starting_s = starting_s
        self._warn_after_s = warn_after_s
        self._overdue_after_s = overdue_after_s
        self._clock = clock
        self._pid = 0
        self._before: object = None
        self._beat: object = None
        self._changed = self._looked = 0.0
        self._warned = False
        self.overdue = False

    def begin(self, pid: int) -> None:
        """Follow a new process from now on; what an earlier one of the same pid left is no heartbeat of it."""
        self._pid, self._beat = pid, None
        self._before = self._read()
        self._looked = self._changed = self._clock()
        self._warned = self.overdue = False

    def look(self) -> float | None:
        """Read the health file: seconds of silence to report, or None; `overdue` says that a restart is due."""
        now = self._clock()
        if now - self._looked < _READ_EVERY_S:
            return None
        if now - self._looked > _MAX_GAP_S:
            self._changed = now
        self._looked = now
        beat = self._read()
        if beat not in (None, self._before, self._beat):
            self._beat, self._changed, self._warned = beat, now, False
        silence = now - self._changed
        late = silence if self._beat is not None else silence - self._starting_s
        self.overdue = late >= self._overdue_after_s
        if not self.overdue and (self._warned or late < self._warn_after_s):
            return None
        try:
            check_writable(self._path.parent)
        except OSError:  # on a full disk no process can write its heartbeat, and a restart would not help
            self._changed, self.overdue = now, False
            return None
        self._warned = True
        return silence

    def _read(self) -> object:
        """The last heartbeat of this process; None if its file is missing, damaged or of another process."""
        try:
            value = read_json(self._path)
        except (OSError, DamagedFile):
            return None
        return value.get("heartbeat_monotonic") if value.get("pid") == self._pid else None
