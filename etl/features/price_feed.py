"""Carries prices from the store to the feature grid: each price once, a repaired coin's history again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

import numpy as np

from core.price_store import Coin, PriceReader
from core.times import DAY_MS, HOUR_MS
from etl.arrays import FloatArray, IntArray
from etl.features.feature_grid import FeatureGrid

__all__ = ["PriceFeed"]

_FULL_RESOLUTION_MS: Final = 27 * HOUR_MS
"""Younger prices are read one by one, of older ones the last of each 5 minutes: the grid needs no others."""


class PriceFeed:
    """Passes stored prices to a feature grid and tracks what the grid has of each coin.

    A coin's `revision` grows when prices older than its newest one were stored (back-fill, repaired gap); the feed then
    replaces its history. Otherwise it appends.

    Args:
        grid: takes the prices.
        keep_days: days of prices that are passed on.
        is_own: which of the collected coins are the grid's.
        busy: called before each coin is read.
    """

    def __init__(
        self,
        grid: FeatureGrid,
        keep_days: int,
        is_own: Callable[[str], bool] = lambda _coin_id: True,
        busy: Callable[[], None] = lambda: None,
    ) -> None:
        self._grid = grid
        self._is_own = is_own
        self._busy = busy
        self._keep_ms = keep_days * DAY_MS
        self._seen: dict[str, int] = {}
        self._revision: dict[str, int] = {}
        self._first: dict[str, int] = {}
        self._hourly: set[str] = set()

    @property
    def origins(self) -> dict[str, int]:
        """Event time in UTC milliseconds of the newest price that the grid has, by coin."""
        return dict(self._seen)

    def begin_again(self) -> None:
        """Replace every coin's history at the next pull: the database may be another one."""
        self._revision.clear()

    def pull(self, prices: PriceReader, now_ms: int) -> int:
        """Pass on the new prices of all tracked coins; return their number."""
        coins = [coin for coin in prices.coins() if self._is_own(coin.id)]
        self._forget({coin.id for coin in coins})
        known = [coin.id for coin in coins if self._revision.get(coin.id) == coin.revision]
        added = prices.since({coin_id: self._seen.get(coin_id, 0) + 1 for coin_id in known})
        return sum(self._pull_coin(prices, coin, added, now_ms) for coin in coins)

    def _pull_coin(
        self, prices: PriceReader, coin: Coin, added: Mapping[str, list[tuple[int, float]]], now_ms: int
    ) -> int:
        self._busy()
        if self._revision.get(coin.id) == coin.revision:
            rows = added.get(coin.id, [])
            if rows:
                self._grid.observe(coin.id, *_columns(rows))
        else:
            recent_ms = now_ms - _FULL_RESOLUTION_MS
            rows = prices.thinned(coin.id, now_ms - self._keep_ms, recent_ms) + prices.range(coin.id, recent_ms)
            self._grid.replace(coin.id, *_columns(rows))
            self._revision[coin.id] = coin.revision
            self._seen.pop(coin.id, None)
            self._first.pop(coin.id, None)
            self._hourly.discard(coin.id)
        if rows:
            self._seen[coin.id] = rows[-1][0]
            self._first.setdefault(coin.id, rows[0][0])
        self._pull_hourly(prices, coin.id)
        return len(rows)

    def _pull_hourly(self, prices: PriceReader, coin_id: str) -> None:
        """Pass on the hourly prices before the coin's first price; later ones would leak the future into its rows."""
        first_ms = self._first.get(coin_id)
        if first_ms is None or coin_id in self._hourly:
            return
        hourly = prices.hourly(coin_id)
        if hourly:
            self._grid.observe_hourly(coin_id, *_columns(row for row in hourly if row[0] < first_ms))
            self._hourly.add(coin_id)

    def _forget(self, tracked: set[str]) -> None:
        """Stop forecasting coins that are no longer collected; the model keeps what it learned from them."""
        for coin_id in self._seen.keys() - tracked:
            del self._seen[coin_id]
            self._revision.pop(coin_id, None)


def _columns(rows: Iterable[tuple[int, float]]) -> tuple[IntArray, FloatArray]:
    times, values = zip(*rows, strict=True) if (rows := list(rows)) else ((), ())
    return np.array(times, dtype=np.int64), np.array(values, dtype=np.float64)
