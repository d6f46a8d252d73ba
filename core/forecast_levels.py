"""Horizons, quantiles and intervals of the forecasts; without pyarrow, which the schema beside this needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = [
    "COLUMN_OF_QUANTILE",
    "HORIZONS_MIN",
    "INTERVALS",
    "QUANTILES",
    "QUANTILE_COLUMNS",
    "REACH_COLUMNS",
    "REACH_LEVELS",
    "SHOWN_DIGITS",
]

HORIZONS_MIN: Final[tuple[int, ...]] = tuple(range(5, 65, 5))
"""Minutes from the origin to the target time of a forecast."""

QUANTILES: Final[tuple[float, ...]] = (0.025, 0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95, 0.975)
QUANTILE_COLUMNS: Final[tuple[str, ...]] = ("q025", "q05", "q10", "q25", "q50", "q75", "q90", "q95", "q975")
COLUMN_OF_QUANTILE: Final[Mapping[float, str]] = dict(zip(QUANTILES, QUANTILE_COLUMNS, strict=True))

INTERVALS: Final[dict[int, tuple[str, str]]] = {
    50: ("q25", "q75"),
    80: ("q10", "q90"),
    90: ("q05", "q95"),
    95: ("q025", "q975"),
}
"""Central interval in percent → its lower and upper quantile column."""

REACH_LEVELS: Final[tuple[float, ...]] = (0.10, 0.25, 0.50, 0.75, 0.90, 0.95, 0.975)
REACH_COLUMNS: Final[tuple[str, ...]] = (
    "reach10",
    "reach25",
    "reach50",
    "reach75",
    "reach90",
    "reach95",
    "reach975",
)
"""Quantiles of the reach: the largest log rise above the price at the origin at any time within the horizon.

At least 0, monotone over levels and horizons. Falls have the same distribution.
"""

SHOWN_DIGITS: Final = 8
"""Significant digits of a forecast that anybody is shown, far finer than any forecast; files keep no finer bounds."""
