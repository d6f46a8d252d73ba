"""Rows of the price store, and the keys of its table `meta` that several processes read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from core.price_rules import is_price
from core.times import MINUTE_MS, now_ms

__all__ = ["FUTURE_TOLERANCE_MS", "POLLED", "PRICE_COUNT", "Coin", "Price", "StoreInfo", "valid_prices"]

FUTURE_TOLERANCE_MS: Final = 2 * MINUTE_MS
"""How far ahead of the clock an event time may be; later prices are refused."""

PRICE_COUNT: Final = "price_count"
"""Key of the number of stored prices in the table `meta`."""

POLLED: Final = "polled"
"""Key of the end of the last complete poll in the table `meta`."""


class Price(NamedTuple):
    """One price at its event time (`ts_ms`), and when it was fetched or, if it was held, confirmed."""

    coin_id: str
    ts_ms: int
    price: float
    market_cap: float | None = None
    volume: float | None = None
    fetched_ms: int = 0


class Coin(NamedTuple):
    """A coin; `revision` grows whenever prices older than the newest one are stored."""

    id: str
    symbol: str
    name: str
    rank: int | None = None
    updated: int = 0
    revision: int = 0


class StoreInfo(NamedTuple):
    """Name, size in bytes and last change (UTC milliseconds, None if there is none) of a store."""

    name: str
    size_bytes: int
    updated_ms: int | None


def valid_prices(prices: Iterable[Price], clock_ms: int | None) -> list[Price]:
    """Select the prices that a store takes: finite, positive, at most two minutes ahead of the clock.

    Args:
        prices: in any order.
        clock_ms: the source's clock, if known; otherwise this machine's counts.
    """
    latest_allowed_ms = (clock_ms or now_ms()) + FUTURE_TOLERANCE_MS
    return [price for price in prices if is_price(price.price) and 0 < price.ts_ms <= latest_allowed_ms]
