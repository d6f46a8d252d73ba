"""The naive benchmark of every score: "the price stays", with the quantiles of its own recent returns around it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from core.forecast_schema import HORIZONS_MIN, QUANTILES
from core.times import DAY_MS, GRID_STEP_MS, HOUR_MS, MINUTE_MS
from etl.arrays import FloatArray

__all__ = ["HISTORY_POINTS", "MIN_RETURNS", "LogPrices", "NaiveBenchmark", "naive_quantiles", "renewal_ms"]

_RENEWAL_MS: Final = 6 * HOUR_MS
"""The quantiles are renewed at 0, 6, 12 and 18 hours UTC."""

HISTORY_POINTS: Final = 14 * DAY_MS // GRID_STEP_MS + 1
"""Grid points of 14 days, both ends counted."""

MIN_RETURNS: Final = 24
"""With fewer returns over a horizon its quantiles are not estimated."""

_CACHED_MS: Final = _RENEWAL_MS
"""Quantiles this much older than those in use are dropped from memory."""

LogPrices = Callable[[str, int], FloatArray]
"""Coin and time → its log prices (n,) on the 5-minute grid of the 14 days up to that time, NaN in gaps."""


def renewal_ms(origin_ms: int) -> int:
    """Time of the last renewal at or before an origin."""
    return origin_ms - origin_ms % _RENEWAL_MS


def naive_quantiles(log_price: FloatArray) -> FloatArray:
    """Quantiles (12, 9) of the log returns over each horizon that lie within `log_price`.

    Args:
        log_price: log prices (n,) on the 5-minute grid up to the renewal, NaN in gaps; the last 14 days count.

    Returns:
        One row per horizon, one column per quantile, in log returns around 0. A horizon with fewer than `MIN_RETURNS`
        returns takes the row before it, widened by the square root of time; all NaN where even the shortest has too
        few.
    """
    recent = log_price[-HISTORY_POINTS:]
    rows = np.full((len(HORIZONS_MIN), len(QUANTILES)), np.nan)
    for row, horizon in enumerate(HORIZONS_MIN):
        steps = horizon * MINUTE_MS // GRID_STEP_MS
        moves = recent[steps:] - recent[:-steps]
        moves = moves[np.isfinite(moves)]
        if len(moves) >= MIN_RETURNS:
            rows[row] = np.quantile(moves, QUANTILES)
        elif row:
            rows[row] = rows[row - 1] * np.sqrt(horizon / HORIZONS_MIN[row - 1])
    return rows


class NaiveBenchmark:
    """The benchmark's quantiles in force at any coin and origin, each computed once."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int], FloatArray] = {}
        self._tidied_ms = 0

    def quantiles(self, coin: str, origin_ms: int, log_prices: LogPrices) -> FloatArray:
        """The quantiles (12, 9) of log returns of the last renewal before an origin.

        A coin whose history at the renewal was too short is compared with all that preceded the origin; NaN where that
        is too short as well.
        """
        renewed_ms = renewal_ms(origin_ms)
        quantiles = self._until(coin, renewed_ms, log_prices)
        return quantiles if np.isfinite(quantiles).all() else self._until(coin, origin_ms, log_prices)

    def _until(self, coin: str, until_ms: int, log_prices: LogPrices) -> FloatArray:
        key = (coin, until_ms)
        if key not in self._known:
            self._tidy(until_ms)
            self._known[key] = naive_quantiles(log_prices(coin, until_ms))
        return self._known[key]

    def _tidy(self, until_ms: int) -> None:
        """Forget old quantiles, once per renewal."""
        if until_ms >= self._tidied_ms + _RENEWAL_MS:
            self._tidied_ms = until_ms
            self._known = {key: value for key, value in self._known.items() if key[1] >= until_ms - _CACHED_MS}
