"""Sees that a process has stopped beating although it lives: suspended, or hung where no thread of it runs."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from core.errors import DamagedFile
from core.files import read_json

__all__ = ["HeartbeatWatch"]

_LOOK_EVERY_S: Final = 1.0
_ABSENCE_S: Final = 10.0
_PROBE_BYTES: Final = 8192


class HeartbeatWatch:
    """Follows one health file; only a process that has beaten at least once is judged.

    The clock is this process's own, and a pause of this process (a laptop that slept) is not held against the others.
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
        """Follow a new process."""
        self._pid, self._beat = pid, None
        self._looked = self._changed = self._clock()
        self._warned = self.overdue = False

    def look(self) -> float | None:
        """Seconds of silence when there is something new to say (`overdue` tells which), or None."""
        now = self._clock()
        if now - self._looked < _LOOK_EVERY_S:
            return None
        if now - self._looked > _ABSENCE_S:
            self._changed = now
        self._looked = now
        beat = self._read()
        if beat != self._beat or beat is None:
            self._beat, self._changed, self._warned = beat, now, False
        silence = now - self._changed
        self.overdue = silence >= self._overdue_after_s
        if not self.overdue and (self._warned or silence < self._warn_after_s):
            return None
        if not _can_write(self._path.parent):  # a full disk silences everybody, and no restart mends it
            self._changed, self.overdue = now, False
            return None
        self._warned = True
        return silence

    def _read(self) -> object:
        """The last beat of the process followed, or None where its file is missing, damaged or another's."""
        try:
            value = read_json(self._path)
        except (OSError, DamagedFile):
            return None
        return value.get("heartbeat_monotonic") if value.get("pid") == self._pid else None


def _can_write(folder: Path) -> bool:
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(_PROBE_BYTES))
    except OSError:
        return False
    return True
