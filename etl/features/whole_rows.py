"""Whole feature rows, put together from the columns of coins, of the market and of the clock."""

from __future__ import annotations

from typing import Final

import numpy as np

from etl.arrays import FloatArray, IntArray, RowArray
from etl.features.columns import MARKET_FEATURES, assemble, clock_features, market_features
from etl.features.minute_columns import MARKET_MINUTE_FEATURES, market_minute_features

__all__ = ["MARKET_WIDTH", "clock_columns", "market_columns", "whole_rows"]

MARKET_WIDTH: Final = len(MARKET_FEATURES) + len(MARKET_MINUTE_FEATURES)
_MINUTE_SUMS: Final = len(MARKET_MINUTE_FEATURES) + 1


def market_columns(sums: FloatArray) -> RowArray:
    """The market's columns (n, MARKET_WIDTH), from its sums (n, columns)."""
    five, one = np.split(sums, [sums.shape[1] - _MINUTE_SUMS], axis=1)
    return np.concatenate([market_features(five), market_minute_features(one)], axis=1)


def whole_rows(columns: RowArray, market: RowArray, clock: RowArray, minute: RowArray) -> RowArray:
    """Whole rows in the order of FEATURE_NAMES."""
    width = len(MARKET_FEATURES)
    return assemble(columns, market[..., :width], clock, market[..., width:], minute)


def clock_columns(event_ms: IntArray, ts_ms: IntArray) -> RowArray:
    """Clock columns at the event time of each row's price, which may be minutes before the row."""
    return clock_features(np.where(event_ms >= 0, event_ms, ts_ms))
