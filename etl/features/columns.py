"""Feature columns: what is known of each coin at one time, in units of its own fast volatility.

Every column is a pure function of the coin's volatility states, of its log prices at t, t - 5 min … t - 24 h, of the
market's mean at the last grid point, and of the clock. Rows on the grid and rows at an origin between two grid points
come from the same functions. No column uses a later price.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from core.times import DAY_MS, GRID_STEP_MS, HOUR_MS
from etl.arrays import BoolArray, FloatArray, IntArray, RowArray
from etl.features import volatility
from etl.features.minute_columns import MARKET_MINUTE_FEATURES, MINUTE_FEATURES
from etl.features.new_york_clock import NEW_YORK_FEATURES, SATURDAY, new_york_columns, weekdays
from etl.features.raw_prices import STEPS_PER_DAY

__all__ = [
    "BASE_FEATURES",
    "CLOCK_FEATURES",
    "COIN_FEATURES",
    "FEATURE_NAMES",
    "LOOKBACK",
    "MARKET_FEATURES",
    "assemble",
    "clock_features",
    "coin_features",
    "is_static",
    "market_features",
    "market_sums",
    "usable_rows",
]


LOOKBACK: Final = STEPS_PER_DAY
"""Five-minute steps (24 hours) that a row looks back over; the recursive states carry everything older."""

_LAGS: Final = (1, 2, 3, 6, 12, 24, 48, 96, 288)
_RANGES: Final = (3, 6, 12, 24, 72, 144, 288)
_MARKET_HALF_LIVES: Final = (1, 3, 12, 72)
_MARKET_LAGS: Final = (1, 3, 12)

COIN_FEATURES: Final[tuple[str, ...]] = (
    *(f"log_square_{n}" for n in volatility.HALF_LIVES),
    *(f"log_abs_{n}" for n in volatility.HALF_LIVES),
    *(f"move_{n}" for n in _LAGS),
    *(f"abs_move_{n}" for n in _LAGS),
    *(f"range_{n}" for n in _RANGES),
    "history",
)
MARKET_FEATURES: Final[tuple[str, ...]] = (
    *(f"market_log_abs_{n}" for n in _MARKET_HALF_LIVES),
    *(f"market_move_{n}" for n in _MARKET_LAGS),
    *(f"market_abs_move_{n}" for n in _MARKET_LAGS),
)
CLOCK_FEATURES: Final[tuple[str, ...]] = (
    "day_sin_1",
    "day_cos_1",
    "day_sin_2",
    "day_cos_2",
    "weekend",
    *NEW_YORK_FEATURES,
    *(f"minute_{5 * n:02d}" for n in range(12)),
)
BASE_FEATURES: Final[tuple[str, ...]] = (*COIN_FEATURES, *MARKET_FEATURES, *CLOCK_FEATURES)
"""What 5-minute prices tell: the first columns of every row."""

FEATURE_NAMES: Final[tuple[str, ...]] = (*BASE_FEATURES, *MARKET_MINUTE_FEATURES, *MINUTE_FEATURES)

_MOVE_LIMIT: Final = 8.0
_LOG_LIMIT: Final = 4.0
_MARKET_SOURCE: Final = [COIN_FEATURES.index(f"log_abs_{n}") for n in _MARKET_HALF_LIVES] + [
    COIN_FEATURES.index(f"move_{n}") for n in _MARKET_LAGS
]

_STATIC_VOL: Final = 2e-4
_STATIC_ZERO_SHARE: Final = 0.6
_WARM_WEIGHT: Final = 0.745
_WARM_SOURCE: Final = volatility.HALF_LIVES.index(72)


def is_static(states: FloatArray) -> BoolArray:
    """Whether a coin is static: below 2 basis points of volatility per 5 minutes, or hardly ever moving.

    Stablecoins and stale feeds are. Pooled with the others one such coin spoils them all; it stays out of training and
    of the market's mean, and gets the empirical quantiles of its own moves instead of a model.
    """
    return (volatility.vol_slow(states) < _STATIC_VOL) | (volatility.zero_share(states) > _STATIC_ZERO_SHARE)


def usable_rows(states: FloatArray, log_price: FloatArray) -> BoolArray:
    """Rows fit for a model: a price, at least 12 hours of 5-minute returns before it, and no static coin."""
    is_warm = volatility.weights(states)[..., _WARM_SOURCE] >= _WARM_WEIGHT
    return is_warm & ~is_static(states) & np.isfinite(log_price)


def coin_features(states: FloatArray, log_price: FloatArray) -> RowArray:
    """Compute the columns COIN_FEATURES of n consecutive rows.

    Args:
        states: volatility states at the n rows, shape (n, coins, STATE_WIDTH).
        log_price: log prices of the n rows and of the LOOKBACK steps before them, shape (n + LOOKBACK, coins).

    Returns:
        Shape (n, coins, columns). A missing value (a gap, a young coin) becomes 0, an ordinary value of every column.
        `history` is the weight behind the four-day averages: 0.16 with a day of prices, close to 1 after two weeks.
    """
    vol_fast = volatility.vol_fast(states)[..., None]
    square, absolute, weight = volatility.split(states)
    log_square = 0.5 * np.log(square / vol_fast**2 + 1e-4)
    log_abs = np.log(absolute / vol_fast + 0.02)
    move = _moves(log_price) / vol_fast
    extent = np.log(_extents(log_price) / vol_fast + 0.05)
    columns = np.concatenate(
        [
            np.clip(log_square, -_LOG_LIMIT, _LOG_LIMIT),
            np.clip(log_abs, -_LOG_LIMIT, _LOG_LIMIT),
            np.clip(move, -_MOVE_LIMIT, _MOVE_LIMIT),
            np.minimum(np.abs(move), _MOVE_LIMIT),
            np.clip(extent, -_LOG_LIMIT, _LOG_LIMIT),
            weight[..., -1:],
        ],
        axis=-1,
        dtype=np.float32,
    )
    return np.nan_to_num(columns, copy=False, nan=0.0)


def _moves(log_price: FloatArray) -> FloatArray:
    now = log_price[LOOKBACK:]
    rows = len(now)
    return np.stack(
        [(now - log_price[LOOKBACK - lag : LOOKBACK - lag + rows]) / np.sqrt(lag) for lag in _LAGS], axis=-1
    )


def _extents(log_price: FloatArray) -> FloatArray:
    """High minus low of the last k + 1 prices, divided by the root of k; doubling the windows is exact."""
    gap = np.isnan(log_price)
    high = _sliding(np.where(gap, -np.inf, log_price), np.maximum)
    low = _sliding(np.where(gap, np.inf, log_price), np.minimum)
    extent = (high - low) / np.sqrt(np.array(_RANGES))
    return np.where(np.isfinite(extent), extent, np.nan)


def _sliding(values: FloatArray, best: np.ufunc) -> FloatArray:
    rows = len(values) - LOOKBACK
    spans = {1: values}
    size = 1
    while 2 * size <= LOOKBACK + 1:
        spans[2 * size] = best(spans[size][size:], spans[size][:-size])
        size *= 2
    found = []
    for bars in _RANGES:
        window = bars + 1
        part = 1 << (window.bit_length() - 1)
        span = spans[part]
        end = len(span)
        found.append(best(span[end - rows :], span[end - rows - (window - part) : end - (window - part)]))
    return np.stack(found, axis=-1)


def market_sums(columns: RowArray, member: BoolArray) -> FloatArray:
    """Sums over the coins in `member` (n, coins) for `market_features`, and their number last, shape (n, columns)."""
    source = columns[..., _MARKET_SOURCE].astype(np.float64)
    total = np.where(member[..., None], source, 0.0).sum(axis=1)
    return np.concatenate([total, member.sum(axis=1)[:, None]], axis=1)


def market_features(sums: FloatArray) -> RowArray:
    """Compute the columns MARKET_FEATURES (n, columns): means over all coins, from their `market_sums`."""
    mean = sums[:, :-1] / np.maximum(sums[:, -1:], 1)
    moves = mean[:, len(_MARKET_HALF_LIVES) :]
    return np.concatenate([mean, np.abs(moves)], axis=1).astype(np.float32)


def clock_features(ts_ms: IntArray) -> RowArray:
    """Compute the columns CLOCK_FEATURES: time of day and week in UTC and New York, place within the hour.

    The twelve `minute_` columns are weights of the full five minutes (hat functions): on a grid point one of them is 1,
    between two grid points the two neighbours share it in proportion to their distance.
    """
    day = ts_ms % DAY_MS / DAY_MS * 2 * np.pi
    place = ts_ms % HOUR_MS / GRID_STEP_MS
    distance = np.abs(place[..., None] - np.arange(12))
    minute_weights = np.maximum(1.0 - np.minimum(distance, 12 - distance), 0.0)
    waves = [
        np.sin(day),
        np.cos(day),
        np.sin(2 * day),
        np.cos(2 * day),
        np.where(weekdays(ts_ms) >= SATURDAY, 1.0, 0.0),
    ]
    columns = [np.stack(waves, axis=-1), new_york_columns(ts_ms), minute_weights]
    return np.concatenate(columns, axis=-1).astype(np.float32)


def assemble(coin: RowArray, *others: RowArray) -> RowArray:
    """Concatenate the groups: `coin` (n, coins, columns), the others the same or (n, columns) for all coins."""
    shape = coin.shape[:2]
    wide = [np.broadcast_to(part if part.ndim == 3 else part[:, None], (*shape, part.shape[-1])) for part in others]
    return np.concatenate([coin, *wide], axis=-1)
