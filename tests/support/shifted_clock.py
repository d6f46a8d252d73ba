"""Another wall clock for the processes of a suite; monotonic time goes on as it did."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

__all__ = ["ShiftedClock"]

_SITE_CUSTOMIZE: Final = """
import os, time
real_ns = time.time_ns
def shifted_ns():
    with open(os.environ["CLOCK_OFFSET_FILE"]) as file:
        return real_ns() + int(file.read()) * 10**9
time.time_ns = shifted_ns
time.time = lambda: shifted_ns() / 1e9
"""


class ShiftedClock:
    """Gives processes that start with `variables` the system's clock plus an offset.

    Python runs sitecustomize.py, which is written to `folder`, before anything else.
    """

    def __init__(self, folder: Path, seconds: int = 0) -> None:
        (folder / "sitecustomize.py").write_text(_SITE_CUSTOMIZE, encoding="utf-8")
        self._offset = folder / "clock offset"
        self.variables: dict[str, Any] = {"PYTHONPATH": str(folder), "CLOCK_OFFSET_FILE": str(self._offset)}
        self.shift(seconds)

    def shift(self, seconds: int) -> None:
        """Set the offset, also for processes that already run."""
        new = self._offset.with_suffix(".new")
        new.write_text(str(seconds), encoding="utf-8")
        new.replace(self._offset)
