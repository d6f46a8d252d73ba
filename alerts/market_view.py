"""New prices as columns, read from the price store alone, so that rules about prices need no forecasts."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple, Protocol

import numpy as np

from alerts.conditions.views import PriceView, Times
from core.answers.curves import FloatArray
from core.price_store import PriceReader
from core.realised_price import PRICE_TOLERANCE_MS
from core.times import FOREVER_MS, HOUR_MS

__all__ = ["BATCH", "Bands", "PriceSource", "Ticks", "new_ticks", "newest_cursors", "of_the_present", "price_views"]

BATCH: Final = 500
"""Prices of a coin that one evaluation takes at most; after an outage several follow each other."""

_ROW = tuple[int, float]


class Ticks(NamedTuple):
    """Prices of one coin, oldest first: event times (k,) in UTC milliseconds and prices (k,)."""

    at_ms: Times
    price: FloatArray


class PriceSource(Protocol):
    """Where earlier prices are read: a `core.price_store.PriceReader`, or a recording."""

    def as_of(self, coin_id: str, ts_ms: int) -> _ROW | None:
        """The last price at or before a time."""

    def range(self, coin_id: str, start_ms: int = 0, end_ms: int | None = None) -> Sequence[_ROW]:
        """Prices within [start_ms, end_ms], in order."""


Bands = Callable[[Sequence[str], Times], tuple[FloatArray, FloatArray]]
"""Coins and times (n,) → the one-hour forecasts made then: price at the origin (n,), quantiles (n, 9); NaN if none."""


def new_ticks(prices: PriceReader, coins: Iterable[str], cursors: Mapping[str, int]) -> dict[str, Ticks]:
    """Prices whose event time is later than that of the last one evaluated; of a coin never seen, its newest one."""
    found = {}
    for coin in coins:
        if (cursor := cursors.get(coin)) is None:
            newest = prices.as_of(coin, FOREVER_MS)
            rows: Sequence[_ROW] = () if newest is None else (newest,)
        else:
            batches = prices.batches(coin, cursor + 1, FOREVER_MS, BATCH, ascending=True)
            rows = [(ts_ms, price) for batch in batches for ts_ms, price, *_ in batch]
        if rows:
            found[coin] = Ticks(np.array([row[0] for row in rows], np.int64), np.array([row[1] for row in rows]))
    return found


def of_the_present(ticks: Mapping[str, Ticks], cursors: Mapping[str, int], since_ms: int) -> dict[str, Ticks]:
    """These without the prices of coins that were never seen and have none since then: they are past."""
    return {coin: one for coin, one in ticks.items() if coin in cursors or one.at_ms[-1] >= since_ms}


def newest_cursors(ticks: Mapping[str, Ticks]) -> dict[str, int]:
    """Event time of the newest of these prices of each coin."""
    return {coin: int(one.at_ms[-1]) for coin, one in ticks.items()}


def price_views(
    ticks: Mapping[str, Ticks],
    places: Mapping[str, int],
    prices: PriceSource,
    spans_ms: Iterable[int],
    bands: Bands | None,
) -> Iterator[PriceView]:
    """Views with at most one price of each coin: first the oldest of each, then the next ones.

    Args:
        ticks: new prices by coin.
        places: place of each coin among the subjects.
        prices: where earlier prices are.
        spans_ms: spans of the changes that are asked for.
        bands: forecasts of an hour before; None if nobody asks for them.
    """
    coins = list(ticks)
    before = {span: [_earlier(prices, coin, ticks[coin].at_ms - span) for coin in coins] for span in spans_ms}
    for wave in range(max((len(one.at_ms) for one in ticks.values()), default=0)):
        here = [number for number, coin in enumerate(coins) if len(ticks[coin].at_ms) > wave]
        seen = [coins[number] for number in here]
        at_ms = np.array([ticks[coin].at_ms[wave] for coin in seen], np.int64)
        hours = (None, None) if bands is None else bands(seen, at_ms - HOUR_MS)
        yield PriceView(
            places=np.array([places[coin] for coin in seen], np.int64),
            at_ms=at_ms,
            price=np.array([ticks[coin].price[wave] for coin in seen]),
            before={span: np.array([columns[number][wave] for number in here]) for span, columns in before.items()},
            hour_origin=hours[0],
            hour_quantiles=hours[1],
        )


def _earlier(prices: PriceSource, coin: str, targets_ms: Times) -> FloatArray:
    """The last price at or before each time (k,), in order; NaN where it is older than a price counts as current."""
    first_ms, last_ms = int(targets_ms[0]), int(targets_ms[-1])
    if len(targets_ms) == 1:
        row = prices.as_of(coin, first_ms)
        is_known = row is not None and first_ms - row[0] <= PRICE_TOLERANCE_MS
        return np.array([row[1] if row is not None and is_known else math.nan])
    rows = prices.range(coin, first_ms - PRICE_TOLERANCE_MS, last_ms)
    found = np.full(len(targets_ms), np.nan)
    if rows:
        times, values = np.array([row[0] for row in rows], np.int64), np.array([row[1] for row in rows])
        place = np.searchsorted(times, targets_ms, side="right") - 1
        known = (place >= 0) & (targets_ms - times[place] <= PRICE_TOLERANCE_MS)
        found[known] = values[place[known]]
    return found
