"""Minute averages at grid points and at origins, from the same raw prices by the same steps."""

from __future__ import annotations

from typing import Final

import numpy as np

from core.times import MINUTE_MS
from etl.arrays import BoolArray, FloatArray, IntArray
from etl.features.minute_volatility import MINUTES_A_STEP, after_minutes, run_minutes
from etl.features.raw_prices import RAW_KEEP_MS, RawPrices

__all__ = ["MINUTE_REPLAY", "minutes_at", "minutes_on_grid"]

MINUTE_REPLAY: Final = 12
"""Steps (1 hour) before an origin over which its minute averages move on from the grid's."""

_STEP: Final = MINUTE_MS * np.arange(1 - MINUTES_A_STEP, 1)
"""The minute points of the step that ends at a grid point, relative to it."""

_REPLAYED: Final = MINUTE_MS * np.arange(-MINUTES_A_STEP * MINUTE_REPLAY, 1)[:, None]
"""The minute points that are replayed before an origin, relative to it."""


def minutes_on_grid(
    raw: RawPrices,
    states: FloatArray,
    coins: IntArray,
    ts_ms: IntArray,
    last: tuple[FloatArray, IntArray],
    *,
    latest_ms: int,
) -> FloatArray:
    """Move the minute averages over n consecutive grid points.

    Where only one price of each five minutes is kept they stay as they are: nothing finer is known there.

    Args:
        raw: prices of all coins.
        states: states of k coins at the grid point before the first (k, MINUTE_STATE_WIDTH).
        coins: column numbers (k,).
        ts_ms: grid points (n,).
        last: log prices at the point before the first (k,), NaN without one, and their event times (k,).
        latest_ms: time of the newest price of the market.

    Returns:
        The states at each grid point (n, k, MINUTE_STATE_WIDTH).
    """
    if int(ts_ms[-1]) < latest_ms - RAW_KEEP_MS:
        return np.repeat(states[None], len(ts_ms), axis=0)
    price, event_ms = raw.as_of(coins, (ts_ms[:, None] + _STEP).reshape(-1, 1))
    return run_minutes(states, np.log(price), event_ms, *last)[MINUTES_A_STEP - 1 :: MINUTES_A_STEP]


def minutes_at(
    raw: RawPrices, states: FloatArray, coins: IntArray, origin_ms: IntArray, known: BoolArray
) -> FloatArray:
    """The minute averages of k coins, each as of its own origin.

    Args:
        raw: prices of all coins.
        states: states at the grid point that lies MINUTE_REPLAY steps before the last one up to each origin (k, width).
        coins: column numbers (k,).
        origin_ms: origins (k,).
        known: origins whose past is known (k,); the others keep their states.

    Returns:
        The states at the origins (k, MINUTE_STATE_WIDTH).
    """
    price, event_ms = raw.as_of(coins, origin_ms + _REPLAYED)
    log_price = np.where(known, np.log(price), np.nan)
    return after_minutes(states, log_price[1:], event_ms[1:], log_price[0], event_ms[0])
