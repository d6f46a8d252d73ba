"""The yardstick of every score: "the price stays", spread as its own moves were over the last fortnight."""

from __future__ import annotations

from typing import Final

import numpy as np

from core.forecast_schema import HORIZONS_MIN, QUANTILES
from core.times import DAY_MS, GRID_STEP_MS, HOUR_MS, MINUTE_MS
from etl.arrays import FloatArray

__all__ = ["LEAST_RETURNS", "YARDSTICK_POINTS", "renewal_ms", "yardstick_quantiles"]

_RENEWAL_MS: Final = 6 * HOUR_MS
"""The yardstick is renewed at 0, 6, 12 and 18 hours UTC."""

YARDSTICK_POINTS: Final = 14 * DAY_MS // GRID_STEP_MS + 1
"""Grid points of 14 days, both ends counted."""

LEAST_RETURNS: Final = 24
"""With fewer returns over a horizon there is no empirical spread."""


def renewal_ms(origin_ms: int) -> int:
    """The moment at which the yardstick in force at `origin_ms` was made."""
    return origin_ms - origin_ms % _RENEWAL_MS


def yardstick_quantiles(log_price: FloatArray) -> FloatArray:
    """Quantiles (12, 9) of the log returns over each horizon that lie within `log_price`.

    Args:
        log_price: log prices (n,) on the 5-minute grid up to the renewal, NaN in gaps; the last 14 days count.

    Returns:
        One row per horizon, one column per quantile, in log returns around 0. A horizon with fewer than
        `LEAST_RETURNS` returns borrows the row before it, widened by the square root of time; all NaN where even the
        shortest has too few.
    """
    recent = log_price[-YARDSTICK_POINTS:]
    rows = np.full((len(HORIZONS_MIN), len(QUANTILES)), np.nan)
    for row, horizon in enumerate(HORIZONS_MIN):
        steps = horizon * MINUTE_MS // GRID_STEP_MS
        moves = recent[steps:] - recent[:-steps]
        moves = moves[np.isfinite(moves)]
        if len(moves) >= LEAST_RETURNS:
            rows[row] = np.quantile(moves, QUANTILES)
        elif row:
            rows[row] = rows[row - 1] * np.sqrt(horizon / HORIZONS_MIN[row - 1])
    return rows
