"""The volatility states of the last hours, from which those of any origin move on."""

from __future__ import annotations

import numpy as np

from etl.arrays import FloatArray, IntArray
from etl.features import volatility
from etl.features.minute_volatility import initial_minute_state
from etl.features.rolling_rows import RollingRows

__all__ = ["RecentStates"]


class RecentStates:
    """States of k coins at the last grid points, oldest first.

    Args:
        rows: grid points whose states of 5 minutes are kept.
        minute_rows: grid points whose states of minutes are kept.
        initial: states of 5 minutes before the first price (k, STATE_WIDTH).

    Attributes:
        steps: states of 5 minutes (rows, k, STATE_WIDTH).
        minutes: states of minutes (minute_rows, k, MINUTE_STATE_WIDTH).
    """

    def __init__(self, rows: int, minute_rows: int, initial: FloatArray) -> None:
        minutes = initial_minute_state(len(initial))
        self.steps = RollingRows(rows, np.broadcast_to(initial, (rows, *initial.shape)))
        self.minutes = RollingRows(minute_rows, np.broadcast_to(minutes, (minute_rows, *minutes.shape)))

    def append(self, steps: FloatArray, minutes: FloatArray) -> None:
        """Add the states at n grid points (n, k, width)."""
        self.steps.append(steps)
        self.minutes.append(minutes)

    def put(self, coins: IntArray, steps: FloatArray, minutes: FloatArray, later: int) -> None:
        """Replace those of some coins (j,) at n grid points (n, j, width), which `later` others follow."""
        self.steps.put(coins, steps, later)
        self.minutes.put(coins, minutes, later)

    def widen(self, added: int) -> None:
        """Add coins of which nothing is known."""
        self.steps.widen(volatility.initial_state(added))
        self.minutes.widen(initial_minute_state(added))
