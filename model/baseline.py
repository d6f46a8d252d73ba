"""What the forecasts are measured against: "the price stays", with two ways to give it a spread.

The yardstick takes the empirical quantiles of each coin's own moves over the last fortnight (model.yardstick). The
stronger rival scales pooled moves by an exponentially weighted volatility: RiskMetrics' estimator (J.P. Morgan 1996)
with filtered historical simulation (Barone-Adesi, Giannopoulos, Vosper 1999).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.contract import GRID_STEP_MS, HORIZONS_MIN, QUANTILE_COLUMNS, QUANTILES
from core.outcomes import PRICE_TOLERANCE_MS
from core.times import DAY_MS
from model.recording import Recording
from model.yardstick import YARDSTICK_POINTS, renewal_ms, yardstick_quantiles

__all__ = ["EWMA_HALF_LIFE_STEPS", "PriceGrid", "ewma_forecasts", "yardstick_forecasts"]

EWMA_HALF_LIFE_STEPS: Final = 72
"""Six hours of 5-minute returns."""

_STEPS: Final = len(HORIZONS_MIN)
_ROOT: Final = np.sqrt(np.arange(1, _STEPS + 1))
_WINDOW: Final = YARDSTICK_POINTS - 1
_FLOOR_SHARE: Final = 0.1
_LEAST: Final = 200

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


class PriceGrid:
    """Log prices of a recording on the 5-minute UTC grid, shape (points, coins); NaN where there is a gap."""

    def __init__(self, recording: Recording) -> None:
        self.coins = sorted(recording)
        first = min(int(ts_ms[0]) for ts_ms, _ in recording.values()) // GRID_STEP_MS * GRID_STEP_MS
        last = max(int(ts_ms[-1]) for ts_ms, _ in recording.values())
        self.ts_ms: IntArray = np.arange(first, last + 1, GRID_STEP_MS, dtype=np.int64)
        self.log_price = np.column_stack([_on_grid(*recording[coin], self.ts_ms) for coin in self.coins])

    def index_at(self, moment_ms: int) -> int:
        """Position of the last grid point at or before a moment; -1 before the first."""
        return int((moment_ms - self.ts_ms[0]) // GRID_STEP_MS)


def yardstick_forecasts(frame: pd.DataFrame, grid: PriceGrid) -> pd.DataFrame:
    """The yardstick's forecasts for the rows of `frame` (coin, origin, horizon_min, price_origin)."""
    cache: dict[tuple[int, int], FloatArray] = {}

    def moves(column: int, origin_ms: int) -> FloatArray:
        key = (column, renewal_ms(origin_ms))
        if key not in cache:
            end = grid.index_at(key[1]) + 1
            cache[key] = yardstick_quantiles(grid.log_price[max(0, end - YARDSTICK_POINTS) : max(end, 0), column])
        return cache[key]

    return _forecasts(frame, grid, moves)


def ewma_forecasts(frame: pd.DataFrame, grid: PriceGrid) -> pd.DataFrame:
    """Forecasts of the exponentially weighted rival for the rows of `frame`; its pooled quantiles are renewed daily."""
    sigma = _ewma_scale(grid.log_price)
    pooled: dict[int, FloatArray] = {}

    def moves(column: int, origin_ms: int) -> FloatArray:
        row, day = grid.index_at(origin_ms), origin_ms // DAY_MS
        if day not in pooled:
            pooled[day] = _pooled_quantiles(grid.log_price, sigma, grid.index_at(day * DAY_MS))
        widths: FloatArray = pooled[day] * (sigma[row, column] * _ROOT)[:, None]
        return widths

    return _forecasts(frame, grid, moves)


def _forecasts(frame: pd.DataFrame, grid: PriceGrid, moves: Callable[[int, int], FloatArray]) -> pd.DataFrame:
    """Rows of `frame` with quantiles price_origin · exp(moves), the price as mean, and an even chance of a rise."""
    keys = frame[["coin", "origin"]].drop_duplicates()
    column = {coin: number for number, coin in enumerate(grid.coins)}
    origin_ms = keys["origin"].dt.as_unit("ms").astype("int64").to_numpy()
    table = np.stack([moves(column[coin], int(ms)) for coin, ms in zip(keys["coin"], origin_ms, strict=True)])
    place = frame.merge(keys.assign(place=np.arange(len(keys))), on=["coin", "origin"], how="left")["place"].to_numpy()
    horizon = frame["horizon_min"].to_numpy(dtype=np.int64) // 5 - 1
    price = frame["price_origin"].to_numpy(dtype=np.float64)
    quantiles = price[:, None] * np.exp(table[place, horizon])
    made = frame.assign(**dict(zip(QUANTILE_COLUMNS, quantiles.T, strict=True)))
    return made.assign(mean=price, p_up=0.5, kind="baseline")


def _on_grid(ts_ms: IntArray, price: FloatArray, grid_ms: IntArray) -> FloatArray:
    index = np.searchsorted(ts_ms, grid_ms, side="right") - 1
    found = np.maximum(index, 0)
    fresh = (index >= 0) & (grid_ms - ts_ms[found] <= PRICE_TOLERANCE_MS)
    return np.where(fresh, np.log(price[found]), np.nan)


def _ewma_scale(log_price: FloatArray) -> FloatArray:
    """Root of the exponentially weighted mean of squared 5-minute returns as of each grid point; skips gaps."""
    decay = 0.5 ** (1.0 / EWMA_HALF_LIFE_STEPS)
    slow = 0.5 ** (1.0 / 288)
    returns = np.diff(log_price, axis=0, prepend=log_price[:1])
    total, weight = np.zeros((2, log_price.shape[1])), np.zeros((2, log_price.shape[1]))
    scale = np.empty_like(log_price)
    rate = np.array([[decay], [slow]])
    for row, value in enumerate(returns):
        seen = np.isfinite(value)
        total = np.where(seen, rate * total + (1 - rate) * np.nan_to_num(value) ** 2, total)
        weight = np.where(seen, rate * weight + (1 - rate), weight)
        fast, floor = total / np.maximum(weight, 1e-12)
        scale[row] = np.sqrt(np.maximum(fast, _FLOOR_SHARE**2 * floor))
    return np.maximum(scale, 1e-6)


def _pooled_quantiles(log_price: FloatArray, sigma: FloatArray, end: int) -> FloatArray:
    """Quantiles (12, 9) of the scaled moves of all coins that ended in the fortnight before `end`."""
    start = max(0, end - _WINDOW)
    quantiles = np.empty((_STEPS, len(QUANTILES)))
    for step in range(1, _STEPS + 1):
        scaled = (log_price[start + step : end + 1] - log_price[start : end + 1 - step]) / sigma[start : end + 1 - step]
        scaled = scaled[np.isfinite(scaled)] / np.sqrt(step)
        quantiles[step - 1] = np.quantile(scaled, QUANTILES) if len(scaled) >= _LEAST else np.nan
    return quantiles
