"""Coins with their newest price, and the one that a name means."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Final

from core.errors import UnknownCoin
from core.price_store import Coin, Price, PriceReader
from core.reading.values import Quote
from core.times import DAY_MS, HOUR_MS, MINUTE_MS
from core.wording import message

__all__ = ["hourly_before", "nearest_coins", "quotes", "unknown_coin"]

_CHANGES: Final = ((HOUR_MS, 5 * MINUTE_MS), (DAY_MS, 15 * MINUTE_MS))
"""Spans of the changes of a price, and how far from its start the earlier price may lie."""


def quotes(prices: PriceReader, latest: Mapping[str, Price]) -> list[Quote]:
    """All coins by rank with their newest price and its changes over an hour and a day."""
    coins = prices.coins()
    changes = {span_ms: _changes(prices, latest, span_ms, near_ms) for span_ms, near_ms in _CHANGES}
    result = []
    for coin in coins:
        newest = latest.get(coin.id)
        if newest is None:
            result.append(Quote(coin.id, coin.symbol, coin.name, coin.rank, None, None, None))
            continue
        change_1h, change_24h = (changes[span_ms].get(coin.id) for span_ms, _ in _CHANGES)
        result.append(
            Quote(coin.id, coin.symbol, coin.name, coin.rank, newest.price, change_24h, newest.ts_ms, change_1h)
        )
    return result


def _changes(prices: PriceReader, latest: Mapping[str, Price], span_ms: int, tolerance_ms: int) -> dict[str, float]:
    """Changes in percent against the prices nearest to `span_ms` before; of coins with one within the tolerance."""
    moments = [(coin_id, newest.ts_ms - span_ms) for coin_id, newest in latest.items()]
    found = prices.nearest(moments, tolerance_ms)
    pairs = zip(latest.items(), found, strict=True)
    return {coin_id: 100.0 * (newest.price / before[1] - 1.0) for (coin_id, newest), before in pairs if before}


def nearest_coins(wanted: str, coins: Sequence[Coin | Quote]) -> list[str]:
    """Ids of at most five coins whose id, symbol or name is spelt most like `wanted`; the first five if none is."""
    names = {key.lower(): coin.id for coin in coins for key in (coin.id, coin.symbol, coin.name)}
    nearest = dict.fromkeys(
        names[key] for key in difflib.get_close_matches(wanted.lower(), list(names), n=5, cutoff=0.5)
    )
    return list(nearest) or [coin.id for coin in coins[:5]]


def unknown_coin(wanted: str, coins: Sequence[Coin | Quote]) -> UnknownCoin:
    """The error for an unknown coin, with the nearest ones."""
    near = nearest_coins(wanted, coins)
    if not near:
        return UnknownCoin(message("coin.unknown", coin=wanted[:60]))
    return UnknownCoin(message("coin.unknown_but_near", coin=wanted[:60], near=", ".join(near)), near)


def hourly_before(prices: PriceReader, coin_id: str, start_ms: int) -> list[tuple[int, float]]:
    """Hourly prices from `start_ms` on that are older than the coin's first stored price."""
    first_ms = prices.first_ms(coin_id)
    return [(ts_ms, price) for ts_ms, price in prices.hourly(coin_id) if start_ms <= ts_ms < (first_ms or 0)]
