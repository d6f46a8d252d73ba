"""Rows of the price store, and the keys of its table `meta` that several processes read."""

from __future__ import annotations

from typing import Final, NamedTuple

__all__ = ["POLLED", "PRICE_COUNT", "Coin", "Price"]

PRICE_COUNT: Final = "price_count"
"""Key of the number of stored prices in the table `meta`."""

POLLED: Final = "polled"
"""Key of the end of the last complete poll in the table `meta`."""


class Price(NamedTuple):
    """One price at its event time (`ts_ms`), and when it was fetched."""

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
