"""The outcome of a forecast: one rule for live scores, the backtest, the API and the dashboard."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = ["PRICE_TOLERANCE_MS", "extremes_within", "is_outcome", "realised_extremes", "realised_prices"]

PRICE_TOLERANCE_MS: Final = 450_000
"""A price counts as current for at most 7.5 minutes after its event time; after that there is a gap."""


def is_outcome(price_ms: npt.ArrayLike, target_ms: npt.ArrayLike, newest_ms: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Whether the last price at or before a target time is the outcome of a forecast for it.

    It is not in a gap. And it is only once a price at or after the target has arrived: until then a late price could
    still take its place.

    Args:
        price_ms: event time of the last price at or before the target, in UTC milliseconds.
        target_ms: origin plus horizon.
        newest_ms: event time of the coin's newest price.
    """
    price, target = np.asarray(price_ms), np.asarray(target_ms)
    return np.asarray((target <= np.asarray(newest_ms)) & (target - price <= PRICE_TOLERANCE_MS))


def realised_prices(
    ts_ms: npt.ArrayLike, prices: npt.ArrayLike, target_ms: npt.ArrayLike, newest_ms: int
) -> npt.NDArray[np.float64]:
    """Outcomes (k,) of forecasts of one coin for target times (k,); NaN where `is_outcome` is false.

    Args:
        ts_ms: event times (n,) in increasing order, in UTC milliseconds.
        prices: prices (n,) at those times.
        target_ms: origins plus horizons (k,).
        newest_ms: event time of the coin's newest price, which may be later than `ts_ms`.
    """
    times = np.asarray(ts_ms, dtype=np.int64)
    target = np.asarray(target_ms, dtype=np.int64)
    place = np.searchsorted(times, target, side="right") - 1
    outcomes = np.full(len(target), np.nan)
    rows = np.flatnonzero(place >= 0)
    rows = rows[is_outcome(times[place[rows]], target[rows], newest_ms)]
    outcomes[rows] = np.asarray(prices, dtype=np.float64)[place[rows]]
    return outcomes


def realised_extremes(
    ts_ms: npt.ArrayLike, prices: npt.ArrayLike, origin_ms: npt.ArrayLike, target_ms: npt.ArrayLike
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Highest and lowest prices (k,) of one coin after each origin, up to the target time; NaN without any.

    Args:
        ts_ms: event times (n,) in increasing order, in UTC milliseconds.
        prices: prices (n,) at those times.
        origin_ms: origins (k,).
        target_ms: origins plus horizons (k,).
    """
    times = np.asarray(ts_ms, dtype=np.int64)
    first, end = (np.searchsorted(times, np.asarray(moment), side="right") for moment in (origin_ms, target_ms))
    return extremes_within(np.asarray(prices, dtype=np.float64), first, end)


def extremes_within(
    values: npt.NDArray[np.float64], first: npt.NDArray[np.int64], end: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Largest and smallest of `values[first:end]`, for many ranges of any shape; NaN for an empty range."""
    count = np.maximum(end - first, 0)
    some = count > 0
    length = count[some]
    start = np.cumsum(length) - length
    within = values[np.repeat(first[some] - start, length) + np.arange(length.sum())]
    high, low = np.full(some.shape, np.nan), np.full(some.shape, np.nan)
    if len(within):
        high[some], low[some] = np.fmax.reduceat(within, start), np.fmin.reduceat(within, start)
    return high, low
