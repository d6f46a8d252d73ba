"""On which side of its threshold a value lies, with hysteresis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

__all__ = ["KEEP", "UNKNOWN", "Floats", "Judge", "Sides", "column_of", "exceeding"]

UNKNOWN: Final = -2
"""Nothing is known: as if nothing had been seen."""

KEEP: Final = -1
"""Within the hysteresis: the side that held before goes on."""

Sides = npt.NDArray[np.int8]
Floats = npt.NDArray[np.float64]


class Judge(Protocol):
    """Judges all rules of one kind."""

    def sides(self, view: Any) -> Sides:
        """Sides (rules, columns of the view): 0 and 1 (or more for switches), `KEEP`, `UNKNOWN`."""

    def figures(self, row: int, view: Any, column: int) -> dict[str, float]:
        """What a rule saw in a column, by name."""


def exceeding(value: Floats, enter: Floats, leave: Floats, *, at_least: bool = True) -> Sides:
    """Side 1 from `enter` up, side 0 below `leave`, and in between as before; of any one shape.

    Args:
        value: NaN where unknown.
        enter: where side 1 begins.
        leave: where side 0 begins, not above `enter`.
        at_least: whether the threshold itself belongs to the side above it.
    """
    sides = np.full(np.broadcast_shapes(value.shape, enter.shape), KEEP, np.int8)
    sides[value < leave if at_least else value <= leave] = 0
    sides[value >= enter if at_least else value > enter] = 1
    sides[np.broadcast_to(np.isnan(value), sides.shape)] = UNKNOWN
    return sides


def column_of(values: Sequence[float]) -> Floats:
    """One value for each rule, as a column (rules, 1)."""
    return np.array(values, dtype=np.float64)[:, None]
