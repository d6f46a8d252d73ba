"""The interface of local markets: prices of their coins at any time."""

from __future__ import annotations

from typing import Final, Protocol

import numpy as np

from etl.arrays import FloatArray, IntArray
from etl.local_market.coin_names import MarketCoin

__all__ = ["CURRENCIES", "Market", "MarketView", "price_at"]

_PER_DOLLAR: Final = """
usd 1 aed 3.67 ars 910 aud 1.52 bdt 117 bhd 0.377 bmd 1 brl 5.4 cad 1.37 chf 0.88 clp 940 cny 7.2 czk 23.2 dkk 6.9
eur 0.92 gbp 0.78 gel 2.8 hkd 7.81 huf 365 idr 16300 ils 3.72 inr 83.5 jpy 155 krw 1375 kwd 0.307 lkr 302 mmk 2100
mxn 18.2 myr 4.7 ngn 1500 nok 10.6 nzd 1.63 php 58.5 pkr 278 pln 3.98 rub 90 sar 3.75 sek 10.5 sgd 1.35 thb 36.6
try 32.5 twd 32.4 uah 40.5 vef 0.1 vnd 25400 zar 18.6 xdr 0.76 xag 0.034 xau 0.00043
btc 0.000015 eth 0.00029 ltc 0.0135 bch 0.0026 bnb 0.0017 eos 1.75 xrp 1.72 xlm 10.5 link 0.07 dot 0.16 yfi 0.00016
sol 0.00625 bits 15 sats 1500
"""

CURRENCIES: Final[dict[str, float]] = dict(
    zip(_PER_DOLLAR.split()[::2], map(float, _PER_DOLLAR.split()[1::2]), strict=True)
)
"""Units of each currency per US dollar. The rates are fixed: only coins move in a local market."""


class Market(Protocol):
    """A market as a pure function of time; `rows` are places in `coins`, one for each of `times_ms`."""

    @property
    def coins(self) -> tuple[MarketCoin, ...]:
        """The coins; the row of a coin is its place here."""

    @property
    def supply(self) -> FloatArray:
        """Circulating supply of each row, in coins."""

    def event_times(self, rows: IntArray, times_ms: IntArray) -> IntArray:
        """Event time of the latest price at each time, in UTC milliseconds.

        Before a coin's first price it is the time itself, and `prices` gives NaN.
        """

    def prices(self, rows: IntArray, times_ms: IntArray) -> FloatArray:
        """Latest price at each time in US dollars; NaN before the first."""

    def volumes(self, rows: IntArray, times_ms: IntArray) -> FloatArray:
        """Volume of the 24 hours before each time in US dollars; NaN if unknown."""

    def history_start_ms(self, row: int, now_ms: int) -> int:
        """First time with prices of this row, as of `now_ms`."""

    def describe(self) -> dict[str, object]:
        """What is played, for people and for the status page: at least `source`."""

    @property
    def ends_ms(self) -> int | None:
        """When a recording will have been played to its end (UTC milliseconds); None for a market without end."""


class MarketView:
    """Passes everything on to `market`; subclasses override what they change."""

    def __init__(self, market: Market) -> None:
        self._market = market

    @property
    def coins(self) -> tuple[MarketCoin, ...]:
        """The coins on offer."""
        return self._market.coins

    @property
    def supply(self) -> FloatArray:
        """Circulating supply of each row, in coins."""
        return self._market.supply

    def event_times(self, rows: IntArray, times_ms: IntArray) -> IntArray:
        """Event time of the latest price at each time, in UTC milliseconds."""
        return self._market.event_times(rows, times_ms)

    def prices(self, rows: IntArray, times_ms: IntArray) -> FloatArray:
        """Latest price at each time in US dollars."""
        return self._market.prices(rows, times_ms)

    def volumes(self, rows: IntArray, times_ms: IntArray) -> FloatArray:
        """Volume of the 24 hours before each time in US dollars."""
        return self._market.volumes(rows, times_ms)

    def history_start_ms(self, row: int, now_ms: int) -> int:
        """First time with prices of this row."""
        return self._market.history_start_ms(row, now_ms)

    def describe(self) -> dict[str, object]:
        """What is played."""
        return self._market.describe()

    @property
    def ends_ms(self) -> int | None:
        """When the market ends."""
        return self._market.ends_ms


def price_at(market: Market, coin_id: str, ts_ms: int) -> float:
    """Latest price of one coin at one time in US dollars, for tests to compare with.

    Raises:
        KeyError: the market has no such coin.
    """
    row = {coin.id: row for row, coin in enumerate(market.coins)}[coin_id]
    return float(market.prices(np.array([row]), np.array([ts_ms]))[0])
