"""Raw prices of many coins in event-time order, and the last price as of any moment."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from core.realised_price import PRICE_TOLERANCE_MS
from core.times import DAY_MS, GRID_STEP_MS, HOUR_MS
from etl.arrays import FloatArray, IntArray, are_prices

__all__ = ["RAW_KEEP_MS", "STEPS_PER_DAY", "RawPrices", "ceil_grid", "floor_grid"]

STEPS_PER_DAY: Final = DAY_MS // GRID_STEP_MS

RAW_KEEP_MS: Final = 26 * HOUR_MS + PRICE_TOLERANCE_MS
"""Prices this recent stay at full resolution, so that an origin off the grid finds its own 24-hour lattice."""

_COIN_SHIFT: Final = 1 << 42
"""Milliseconds since 1970 stay below this until the year 2109, so `coin * _COIN_SHIFT + ts_ms` sorts by coin, then
time.
"""


def floor_grid(ts_ms: int) -> int:
    """Return the last point of the 5-minute UTC grid at or before `ts_ms`."""
    return ts_ms - ts_ms % GRID_STEP_MS


def ceil_grid(ts_ms: int) -> int:
    """Return the first point of the 5-minute UTC grid at or after `ts_ms`."""
    return -floor_grid(-ts_ms)


def _thin_to_grid(ts_ms: IntArray, price: FloatArray, keep_from_ms: int) -> tuple[IntArray, FloatArray]:
    """Drop what no grid point before `keep_from_ms` can see: of each older 5-minute interval only the last price
    stays.
    """
    interval = -(-ts_ms // GRID_STEP_MS)
    last = np.append(interval[1:] != interval[:-1], True) if len(ts_ms) else np.zeros(0, dtype=bool)
    keep = last | (ts_ms >= keep_from_ms)
    return ts_ms[keep], price[keep]


class RawPrices:
    """Prices of numbered coins in one flat array sorted by (coin, time), so that look-ups of all coins are one search.

    Appends are collected and merged at the next look-up. Old prices are thinned to the grid on arrival
    and forgotten by `forget_before`, which bounds the memory.
    """

    def __init__(self) -> None:
        self._key: IntArray = np.zeros(0, dtype=np.int64)
        self._price: FloatArray = np.zeros(0)
        self._pending: list[tuple[IntArray, FloatArray]] = []
        self._newest: dict[int, int] = {}

    def __len__(self) -> int:
        self._merge()
        return len(self._key)

    def newest(self, coin: int) -> int | None:
        """Return the time of the coin's newest price, None when it has none."""
        return self._newest.get(coin)

    def append(self, coin: int, ts_ms: npt.ArrayLike, price: npt.ArrayLike) -> bool:
        """Add prices in event-time order that are newer than what the coin has; drop the others and those that are no
        price.

        Returns whether anything was added.
        """
        ts = np.atleast_1d(np.asarray(ts_ms, dtype=np.int64))
        value = np.atleast_1d(np.asarray(price, dtype=np.float64))
        newest = self._newest.get(coin, -1)
        keep = are_prices(value) & (ts > np.maximum.accumulate(np.append(newest, ts))[:-1])
        if not keep.all():
            ts, value = ts[keep], value[keep]
        if not len(ts):
            return False
        self._newest[coin] = int(ts[-1])
        if ts[-1] - ts[0] > RAW_KEEP_MS:
            ts, value = _thin_to_grid(ts, value, int(ts[-1]) - RAW_KEEP_MS)
        self._pending.append((ts + coin * _COIN_SHIFT, value))
        return True

    def clear(self, coin: int) -> None:
        """Forget everything about one coin."""
        if self._newest.pop(coin, None) is None:
            return
        self._merge()
        keep = self._key // _COIN_SHIFT != coin
        self._key, self._price = self._key[keep], self._price[keep]

    def forget_before(self, ts_ms: int) -> None:
        """Drop the prices before `ts_ms`."""
        self._merge()
        keep = self._key % _COIN_SHIFT >= ts_ms
        if not keep.all():
            self._key, self._price = self._key[keep], self._price[keep]

    def first(self) -> int | None:
        """Return the time of the oldest price of all coins, None without any."""
        self._merge()
        return int((self._key % _COIN_SHIFT).min()) if len(self._key) else None

    def as_of(self, coin: npt.ArrayLike, ts_ms: npt.ArrayLike) -> tuple[FloatArray, IntArray]:
        """Return (price, event time) of each coin's last price at or before each moment.

        `coin` and `ts_ms` broadcast against each other. Where there is no price of the last `PRICE_TOLERANCE_MS`, the
        price is NaN and the time -1.
        """
        self._merge()
        query = np.asarray(ts_ms, dtype=np.int64) + np.asarray(coin, dtype=np.int64) * _COIN_SHIFT
        if not len(self._key):
            return np.full(query.shape, np.nan), np.full(query.shape, -1)
        position = np.searchsorted(self._key, query, side="right") - 1
        found = self._key[np.maximum(position, 0)]
        valid = (position >= 0) & (query - found <= PRICE_TOLERANCE_MS)
        price = np.where(valid, self._price[np.maximum(position, 0)], np.nan)
        return price, np.where(valid, found % _COIN_SHIFT, -1)

    def _merge(self) -> None:
        if not self._pending:
            return
        key = np.concatenate([key for key, _ in self._pending])
        price = np.concatenate([price for _, price in self._pending])
        self._pending.clear()
        order = np.argsort(key, kind="stable")
        key, price = key[order], price[order]
        position = np.searchsorted(self._key, key)
        self._key = np.insert(self._key, position, key)
        self._price = np.insert(self._price, position, price)
