"""Detects live processes whose heartbeat has stopped: suspended, or hung so that no thread of theirs runs."""

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
    """Follows one health file; a process is judged only after its first heartbeat.

    Silence is measured on this process's own clock. If this process itself paused (a sleeping laptop), the silence
    counts from its return.
    """

    def __init__(
        self, path: Path, warn_after_s: float, overdue_after_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._path = path
        self._warn_after_s = warn_after_s
        self._overdue_after_s = overdue_after_s
        self._clock = clock
        self._pid = 0
        self._beat: object = None
        self._changed = self._looked = 0.0
        self._warned = False
        self.overdue = False

    def begin(self, pid: int) -> None:
        """Follow a new process from now on."""
        self._pid, self._beat = pid, None
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
        if beat != self._beat or beat is None:
            self._beat, self._changed, self._warned = beat, now, False
        silence = now - self._changed
        self.overdue = silence >= self._overdue_after_s
        if not self.overdue and (self._warned or silence < self._warn_after_s):
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
