"""The clock of a simulated machine: real time plus the waits that were skipped, shared by several processes.

Code takes as long as it takes; only waits are skipped. `true_ms` is the right time, and the time of the market;
`machine_ms` is what the machine's own clock shows, which a jump puts ahead or back.
"""

from __future__ import annotations

import mmap
import struct
import time
from pathlib import Path
from typing import Any, Final, Self

__all__ = ["SharedClock"]

_BORN, _START, _SKIPPED, _AHEAD, _SEEN = range(5)
_FORM: Final = "=5q"
_VARIABLE: Final = "MONTH_CLOCK"
_SITE_CUSTOMIZE: Final = f"""
import os
from pathlib import Path
from bench.simulated_month.clock import SharedClock
SharedClock(Path(os.environ["{_VARIABLE}"])).install()
"""
_real_ns: Final = time.monotonic_ns


class SharedClock:
    """The clock kept in the file `path`, which `create` makes.

    Only the process of the machine skips time while it lives; before and after, the one that started it may.
    `seen` is the number of the newest publication that the machine's witness has written down.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with path.open("r+b") as file:
            self._fields = memoryview(mmap.mmap(file.fileno(), struct.calcsize(_FORM))).cast("q")

    @classmethod
    def create(cls, path: Path, start_ms: int) -> Self:
        """A clock that shows `start_ms`, in UTC milliseconds, now."""
        path.write_bytes(struct.pack(_FORM, _real_ns(), start_ms * 1_000_000, 0, 0, 0))
        return cls(path)

    @property
    def true_ms(self) -> int:
        """The right time in UTC milliseconds."""
        return (self._fields[_START] + self._passed_ns()) // 1_000_000

    @property
    def machine_ms(self) -> int:
        """What the machine's wall clock shows, in UTC milliseconds."""
        return self._wall_ns() // 1_000_000

    @property
    def seen(self) -> int:
        """Number of the newest publication that is written down."""
        return self._fields[_SEEN]

    @seen.setter
    def seen(self, number: int) -> None:
        self._fields[_SEEN] = number

    @property
    def ahead_ms(self) -> int:
        """By how much the machine's wall clock is ahead of the right time, in milliseconds."""
        return self._fields[_AHEAD] // 1_000_000

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return (self._fields[_BORN] + self._passed_ns()) / 1e9

    def skip(self, seconds: float) -> None:
        """Let time pass at once."""
        self._fields[_SKIPPED] += round(seconds * 1e9)

    def put_ahead(self, seconds: int) -> None:
        """Let the machine's wall clock show another time than the right one, from now on."""
        self._fields[_AHEAD] = seconds * 1_000_000_000

    def install(self) -> None:
        """Make this the clock of the module `time` in this process."""
        vars(time).update(monotonic=self.monotonic, time_ns=self._wall_ns, time=lambda: self._wall_ns() / 1e9)

    def variables(self, folder: Path) -> dict[str, Any]:
        """Environment variables for a Python process that lives by this clock from its first line on."""
        (folder / "sitecustomize.py").write_text(_SITE_CUSTOMIZE, encoding="utf-8")
        return {"PYTHONPATH": f"{folder}:{Path(__file__).parents[2]}", _VARIABLE: str(self.path)}

    def _passed_ns(self) -> int:
        return _real_ns() - self._fields[_BORN] + self._fields[_SKIPPED]

    def _wall_ns(self) -> int:
        return self._fields[_START] + self._passed_ns() + self._fields[_AHEAD]
