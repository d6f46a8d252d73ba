"""Feature columns from prices a minute apart, in units of the coin's own mean minute; 0 where they are too sparse."""

from __future__ import annotations

from typing import Final

import numpy as np

from etl.arrays import BoolArray, FloatArray, RowArray
from etl.features import volatility
from etl.features.minute_volatility import MINUTE_HALF_LIVES, MINUTES_A_STEP, minute_averages, minute_density

__all__ = [
    "MARKET_MINUTE_FEATURES",
    "MINUTE_FEATURES",
    "MINUTE_SHARE",
    "market_minute_features",
    "market_minute_sums",
    "minute_features",
]

_SHORT: Final = MINUTE_HALF_LIVES[:-1]
_MARKET_HALF_LIVES: Final = (1, 4, 16, 64)

MINUTE_SHARE: Final = "minute_share"
"""Column that says how far the prices are a minute apart: 1 from 0.6 records a minute on, 0 below 0.4."""

MINUTE_SIGNAL: Final = "minute_signal"
"""Column with the share of a minute's variance that is no noise of the quotes."""

MINUTE_FEATURES: Final[tuple[str, ...]] = (
    *(f"minute_log_abs_{n}" for n in _SHORT),
    *(f"minute_log_square_{n}" for n in _SHORT),
    MINUTE_SIGNAL,
    MINUTE_SHARE,
)
MARKET_MINUTE_FEATURES: Final[tuple[str, ...]] = tuple(f"market_minute_log_abs_{n}" for n in _MARKET_HALF_LIVES)

_MARKET_SOURCE: Final = [MINUTE_FEATURES.index(f"minute_log_abs_{n}") for n in _MARKET_HALF_LIVES]
_SHARE: Final = MINUTE_FEATURES.index(MINUTE_SHARE)
_SPARSE, _DENSE = 0.4, 0.6
_LOG_LIMIT: Final = 4.0
_SIX_HOURS: Final = MINUTE_HALF_LIVES.index(360)


def minute_features(minute_states: FloatArray, states: FloatArray) -> RowArray:
    """Compute the columns MINUTE_FEATURES.

    Args:
        minute_states: states of the minute averages (..., MINUTE_STATE_WIDTH).
        states: volatility states of the 5-minute grid at the same rows (..., STATE_WIDTH).

    Returns:
        Shape (..., columns); all 0 where the share is 0.
    """
    absolute, square = minute_averages(minute_states)
    share = np.clip((minute_density(minute_states) - _SPARSE) / (_DENSE - _SPARSE), 0.0, 1.0)[..., None]
    unit, unit_square = np.maximum(absolute[..., -1:], 1e-9), np.maximum(square[..., -1:], 1e-18)
    columns = np.concatenate(
        [
            np.log(absolute[..., :-1] / unit + 0.02),
            0.5 * np.log(square[..., :-1] / unit_square + 1e-4),
            _signal(square[..., _SIX_HOURS], volatility.mean_square_fast(states))[..., None],
            share,
        ],
        axis=-1,
    )
    bounded = np.clip(np.nan_to_num(columns), -_LOG_LIMIT, _LOG_LIMIT)
    return np.asarray(np.where(share > 0, bounded, 0.0), dtype=np.float32)


def _signal(minute_square: FloatArray, step_square: FloatArray) -> FloatArray:
    """Share of a minute's variance that is no noise, from mean squares of one and of five minutes over six hours.

    Noise in every quote adds 2 n² to both. With s² a minute without it, the squares are s² + 2 n² and 5 s² + 2 n², so
    that s² / (s² + 2 n²) is a quarter of five times their ratio, less a quarter.
    """
    ratio = step_square / (MINUTES_A_STEP * np.maximum(minute_square, 1e-18))
    return np.asarray(np.clip(1.25 * ratio - 0.25, 0.0, 1.0))


def market_minute_sums(columns: RowArray, member: BoolArray) -> FloatArray:
    """Sums over the coins in `member` (n, coins) with minutes, and their number last, shape (n, columns)."""
    member = member & (columns[..., _SHARE] > 0)
    source = columns[..., _MARKET_SOURCE].astype(np.float64)
    total = np.where(member[..., None], source, 0.0).sum(axis=1)
    return np.concatenate([total, member.sum(axis=1)[:, None]], axis=1)


def market_minute_features(sums: FloatArray) -> RowArray:
    """Compute MARKET_MINUTE_FEATURES (n, columns): means over all coins, from their `market_minute_sums`."""
    return np.asarray(sums[:, :-1] / np.maximum(sums[:, -1:], 1), dtype=np.float32)
