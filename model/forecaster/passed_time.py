"""How much time passed between two lessons, whatever they teach of the past."""

from __future__ import annotations

import numpy as np

from etl.arrays import IntArray

__all__ = ["times_passed"]


def times_passed(ts_ms: IntArray, newest_ms: int) -> tuple[int, int]:
    """Distinct times (n,) of a lesson that are newer than all before, and the newest time since.

    The back-filled day of a coin that joins late is in the past: no time passes with it.

    Args:
        ts_ms: times of the rows (n,), in milliseconds.
        newest_ms: the newest time of all lessons before.
    """
    return len(np.unique(ts_ms[ts_ms > newest_ms])), int(ts_ms.max(initial=newest_ms))
