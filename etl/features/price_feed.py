"""Carries prices from the store to the feature grid: each price once, a repaired coin's history again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Set
from typing import Final

import numpy as np

from core.price_store import PriceReader
from core.times import DAY_MS, HOUR_MS
from etl.arrays import FloatArray, IntArray
from etl.features.feature_grid import FeatureGrid

__all__ = ["PriceFeed", "collected"]

_FULL_RESOLUTION_MS: Final = 27 * HOUR_MS
"""Younger prices are read one by one, of older ones the last of each 5 minutes: the grid needs no others."""


class PriceFeed:
    """Passes stored prices to a feature grid and tracks what the grid has of each coin.

    A coin's `revision` grows when prices older than its newest one were stored (back-fill, repaired gap); the feed then
    replaces its history. Otherwise it appends.

    Args:
        grid: takes the prices.
        keep_days: days of prices that are passed on.
        busy: called before each coin is read.
    """

    def __init__(
        self,
        grid: FeatureGrid,
        keep_days: int,
        busy: Callable[[], None] = lambda: None,
    ) -> None:
        self._grid = grid
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

    def pull(self, prices: PriceReader, revisions: Mapping[str, int], now_ms: int) -> int:
        """Pass on the new prices of the coins with these revisions and forget the others; the number of prices."""
        self._forget(revisions.keys())
        known = [coin for coin, revision in revisions.items() if self._revision.get(coin) == revision]
        added = prices.since({coin: self._seen.get(coin, now_ms - self._keep_ms) + 1 for coin in known})
        return sum(self._pull_coin(prices, coin, revision, added, now_ms) for coin, revision in revisions.items())

    def _pull_coin(
        self, prices: PriceReader, coin: str, revision: int, added: Mapping[str, list[tuple[int, float]]], now_ms: int
    ) -> int:
        self._busy()
        if self._revision.get(coin) == revision:
            rows = added.get(coin, [])
            if rows:
                self._grid.observe(coin, *_columns(rows))
        else:
            recent_ms = now_ms - _FULL_RESOLUTION_MS
            rows = prices.thinned(coin, now_ms - self._keep_ms, recent_ms) + prices.range(coin, recent_ms)
            self._grid.replace(coin, *_columns(rows))
            self._revision[coin] = revision
            self._seen.pop(coin, None)
            self._first.pop(coin, None)
            self._hourly.discard(coin)
        if rows:
            self._seen[coin] = rows[-1][0]
            self._first.setdefault(coin, rows[0][0])
        self._pull_hourly(prices, coin)
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

    def _forget(self, tracked: Set[str]) -> None:
        """Stop forecasting coins that are no longer collected; the model keeps what it learned from them."""
        for known in (self._seen, self._revision, self._first):
            for coin_id in known.keys() - tracked:
                del known[coin_id]
        self._hourly &= tracked


def collected(prices: PriceReader) -> dict[str, int]:
    """The coins collected now by rank, each with its revision."""
    return {coin.id: coin.revision for coin in prices.coins()}


def _columns(rows: Iterable[tuple[int, float]]) -> tuple[IntArray, FloatArray]:
    times, values = zip(*rows, strict=True) if (rows := list(rows)) else ((), ())
    return np.array(times, dtype=np.int64), np.array(values, dtype=np.float64)
