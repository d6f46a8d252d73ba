"""Raw prices of many coins in event-time order, and the last price as of any time."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from core.realised_price import PRICE_TOLERANCE_MS, extremes_within
from core.times import DAY_MS, GRID_STEP_MS, HOUR_MS
from etl.arrays import FloatArray, IntArray, are_prices

__all__ = ["RAW_KEEP_MS", "STEPS_PER_DAY", "RawPrices", "ceil_grid", "floor_grid"]

STEPS_PER_DAY: Final = DAY_MS // GRID_STEP_MS

RAW_KEEP_MS: Final = 26 * HOUR_MS + PRICE_TOLERANCE_MS
"""Prices of this age stay at full resolution: an origin off the grid needs its own prices of 24 hours."""

_FORGOTTEN_SHARE: Final = 0.125
"""Old prices are dropped once they cover this part of the time that all prices cover: each time costs a copy."""

_COIN_SHIFT: Final = 1 << 42
"""More than any UNIX time in milliseconds until 2109: `coin * _COIN_SHIFT + ts_ms` sorts by coin, then time."""


def floor_grid(ts_ms: int) -> int:
    """Last point of the 5-minute UTC grid at or before `ts_ms`."""
    return ts_ms - ts_ms % GRID_STEP_MS


def ceil_grid(ts_ms: int) -> int:
    """First point of the 5-minute UTC grid at or after `ts_ms`."""
    return -floor_grid(-ts_ms)


def _thin_to_grid(ts_ms: IntArray, price: FloatArray, keep_from_ms: int) -> tuple[IntArray, FloatArray]:
    """Keep only the last price of each 5-minute interval before `keep_from_ms`: no grid point uses the others."""
    interval = -(-ts_ms // GRID_STEP_MS)
    last = np.append(interval[1:] != interval[:-1], True) if len(ts_ms) else np.zeros(0, dtype=bool)
    keep = last | (ts_ms >= keep_from_ms)
    return ts_ms[keep], price[keep]


class RawPrices:
    """Prices of numbered coins in one array sorted by coin and time, so that one search looks up all coins.

    What was appended or cleared is merged at the next look-up, all in one go. Old prices are thinned to the grid when
    they arrive, and `forget_before` drops them, which bounds the memory.
    """

    def __init__(self) -> None:
        self._key: IntArray = np.zeros(0, dtype=np.int64)
        self._price: FloatArray = np.zeros(0)
        self._pending: dict[int, list[tuple[IntArray, FloatArray]]] = {}
        self._cleared: set[int] = set()
        self._newest: dict[int, int] = {}
        self._oldest_ms: int | None = None

    def __len__(self) -> int:
        self._merge()
        return len(self._key)

    def newest(self, coin: int) -> int | None:
        """Time of the coin's newest price in UTC milliseconds, or None."""
        return self._newest.get(coin)

    def latest(self) -> int:
        """Time of the newest price of all coins in UTC milliseconds, or -1."""
        return max(self._newest.values(), default=-1)

    def append(self, coin: int, ts_ms: npt.ArrayLike, price: npt.ArrayLike) -> bool:
        """Append prices of one coin in event-time order; drop invalid ones and those not newer than the last.

        Returns:
            Whether a price was appended.
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
        self._oldest_ms = int(ts[0]) if self._oldest_ms is None else min(self._oldest_ms, int(ts[0]))
        if ts[-1] - ts[0] > RAW_KEEP_MS:
            ts, value = _thin_to_grid(ts, value, int(ts[-1]) - RAW_KEEP_MS)
        self._pending.setdefault(coin, []).append((ts + coin * _COIN_SHIFT, value))
        return True

    def clear(self, coin: int) -> None:
        """Drop all prices of one coin."""
        if self._newest.pop(coin, None) is not None:
            self._pending.pop(coin, None)
            self._cleared.add(coin)

    def forget_before(self, ts_ms: int) -> None:
        """Drop the prices before `ts_ms`, once they are worth a copy of the others."""
        oldest_ms = ts_ms if self._oldest_ms is None else self._oldest_ms
        if ts_ms - oldest_ms <= _FORGOTTEN_SHARE * (self.latest() - oldest_ms):
            return
        self._merge()
        keep = self._key % _COIN_SHIFT >= ts_ms
        self._key, self._price, self._oldest_ms = self._key[keep], self._price[keep], ts_ms

    def first(self) -> int | None:
        """Time of the oldest price of all coins in UTC milliseconds, or None."""
        self._merge()
        return int((self._key % _COIN_SHIFT).min()) if len(self._key) else None

    def as_of(self, coin: npt.ArrayLike, ts_ms: npt.ArrayLike) -> tuple[FloatArray, IntArray]:
        """Look up the last price of each coin at or before each time.

        Coin after coin, so that a search begins where the one before it has ended.

        Args:
            coin: coin numbers; broadcast against `ts_ms`.
            ts_ms: times in UTC milliseconds.

        Returns:
            Prices and their event times. NaN and -1 where the last price is older than PRICE_TOLERANCE_MS.
        """
        self._merge()
        query = np.asarray(ts_ms, dtype=np.int64) + np.asarray(coin, dtype=np.int64) * _COIN_SHIFT
        if not len(self._key):
            return np.full(query.shape, np.nan), np.full(query.shape, -1)
        position = np.asarray(np.searchsorted(self._key, query.T, side="right").T, order="C") - 1
        found = self._key[np.maximum(position, 0)]
        valid = (position >= 0) & (query - found <= PRICE_TOLERANCE_MS)
        price = np.where(valid, self._price[np.maximum(position, 0)], np.nan)
        return price, np.where(valid, found % _COIN_SHIFT, -1)

    def extremes(self, coin: npt.ArrayLike, ts_ms: npt.ArrayLike) -> tuple[FloatArray, FloatArray, IntArray]:
        """Look up the highest and lowest price of each coin within the five minutes that end at each time.

        Args:
            coin: coin numbers; broadcast against `ts_ms`.
            ts_ms: times in UTC milliseconds.

        Returns:
            Highest and lowest prices, NaN without a price, and the numbers of prices.
        """
        self._merge()
        end = np.asarray(ts_ms, dtype=np.int64) + np.asarray(coin, dtype=np.int64) * _COIN_SHIFT
        first = np.searchsorted(self._key, end - GRID_STEP_MS, side="right")
        last = np.searchsorted(self._key, end, side="right")
        return *extremes_within(self._price, first, last), last - first

    def _merge(self) -> None:
        if self._cleared:
            keep = ~np.isin(self._key // _COIN_SHIFT, list(self._cleared))
            self._key, self._price = self._key[keep], self._price[keep]
            self._cleared.clear()
        if not self._pending:
            return
        parts = [part for parts in self._pending.values() for part in parts]
        self._pending.clear()
        key, price = np.concatenate([key for key, _ in parts]), np.concatenate([price for _, price in parts])
        if (key[1:] < key[:-1]).any():
            order = np.argsort(key, kind="stable")
            key, price = key[order], price[order]
        if not len(self._key):
            self._key, self._price = key, price
            return
        position = np.searchsorted(self._key, key)
        self._key = np.insert(self._key, position, key)
        self._price = np.insert(self._price, position, price)
