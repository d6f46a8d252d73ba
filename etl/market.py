"""What every local market offers: prices of its coins at any moment, by row and time."""

from __future__ import annotations

from dataclasses import replace
from typing import Final, Protocol

import numpy as np

from etl.coin_names import Coin
from etl.noise import FloatArray, IntArray

__all__ = ["CURRENCIES", "Market", "MarketView", "Renamed", "price_at"]

CURRENCIES: Final[dict[str, float]] = {
    "usd": 1.0,
    "aud": 1.52,
    "brl": 5.4,
    "cad": 1.37,
    "chf": 0.88,
    "clp": 940.0,
    "cny": 7.2,
    "eur": 0.92,
    "gbp": 0.78,
    "inr": 83.5,
    "jpy": 155.0,
    "krw": 1375.0,
    "mxn": 18.2,
    "rub": 90.0,
    "sgd": 1.35,
    "try": 32.5,
    "zar": 18.6,
}
"""Units of a currency for one US dollar: fixed, because the stand-in moves coins, not currencies."""


class Market(Protocol):
    """A market that is a pure function of time. Rows number `coins`; arrays of rows and times go in pairs."""

    @property
    def coins(self) -> tuple[Coin, ...]:
        """The coins on offer; the row of a coin is its place here."""

    @property
    def supply(self) -> FloatArray:
        """Circulating supply of each row, in coins."""

    def event_times(self, rows: IntArray, times_ms: IntArray) -> IntArray:
        """When the price in force at each time was made, in milliseconds; never after it.

        Where there is no price yet the time itself is returned, and `prices` gives NaN.
        """

    def prices(self, rows: IntArray, times_ms: IntArray) -> FloatArray:
        """The price in force at each time, in US dollars; NaN before the first."""

    def volumes(self, rows: IntArray, times_ms: IntArray) -> FloatArray:
        """The volume of the 24 hours before each time, in US dollars; NaN where unknown."""

    def history_start_ms(self, row: int, now_ms: int) -> int:
        """The first moment of which this row can be asked at `now_ms`."""

    def describe(self) -> dict[str, object]:
        """What is played, for people and for the status page: at least `source`."""


class MarketView:
    """Another market seen through glass: whatever a subclass does not change is as `market` has it."""

    def __init__(self, market: Market) -> None:
        self._market = market

    @property
    def coins(self) -> tuple[Coin, ...]:
        """The coins on offer."""
        return self._market.coins

    @property
    def supply(self) -> FloatArray:
        """Circulating supply of each row, in coins."""
        return self._market.supply

    def event_times(self, rows: IntArray, times_ms: IntArray) -> IntArray:
        """When the price in force at each time was made."""
        return self._market.event_times(rows, times_ms)

    def prices(self, rows: IntArray, times_ms: IntArray) -> FloatArray:
        """The price in force at each time, in US dollars."""
        return self._market.prices(rows, times_ms)

    def volumes(self, rows: IntArray, times_ms: IntArray) -> FloatArray:
        """The volume of the 24 hours before each time, in US dollars."""
        return self._market.volumes(rows, times_ms)

    def history_start_ms(self, row: int, now_ms: int) -> int:
        """The first moment of which this row can be asked."""
        return self._market.history_start_ms(row, now_ms)

    def describe(self) -> dict[str, object]:
        """What is played."""
        return self._market.describe()


class Renamed(MarketView):
    """A market in which one coin goes by another id."""

    def __init__(self, market: Market, old_id: str, new_id: str) -> None:
        super().__init__(market)
        self._coins = tuple(replace(coin, id=new_id) if coin.id == old_id else coin for coin in market.coins)

    @property
    def coins(self) -> tuple[Coin, ...]:
        """The coins on offer, one of them under its new id."""
        return self._coins


def price_at(market: Market, coin_id: str, ts_ms: int) -> float:
    """The truth that tests compare with: the price of one coin in force at one moment, in US dollars.

    Raises:
        KeyError: the market does not have this coin.
    """
    row = {coin.id: row for row, coin in enumerate(market.coins)}[coin_id]
    return float(market.prices(np.array([row]), np.array([ts_ms]))[0])
