"""Filters outliers: a move of more than 30 % is stored only when two further polls agree with it.

A price within 30 % of the last accepted one is accepted at once. A jump is held until two more polls agree with it
within 10 %. Each must come at least one cadence after the one before and bring a quote with its own event time, because
a cached quote only repeats. Then every held price at the new level, or on the way from the old level to it, is accepted
at its own event time. A newer quote back at the old level drops the held prices.

A coin's first price is held in the same way unless its hourly prices or its range of the day support it.

Downtime changes nothing: if the market did move by more than 30 % meanwhile, the new level is accepted two polls later,
or as soon as the back-fill shows the path. This module does no I/O.
"""

from __future__ import annotations

import json
import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Final

from core.price_rules import is_price
from core.price_store import Price
from core.times import MINUTE_MS

__all__ = ["JumpFilter", "contradicts", "plausible_series", "supported"]

_MAX_RATIO: Final = 1.30
_MIN_RATIO: Final = 0.70
_AGREE: Final = 1.10
_NEEDED: Final = 3
"""Agreeing polls that confirm a jump: its own and two further ones."""
_CADENCE_SLACK: Final = 0.8
_MAX_HELD: Final = 100
_START: Final = 9
_SAME_TIME_MS: Final = 10 * MINUTE_MS
_MOMENT_MS: Final = 5 * MINUTE_MS


@dataclass(slots=True)
class _Coin:
    """State of one coin.

    `level` is the last accepted price, and `ts_ms` its event time. With `ts_ms` 0 it is only a reference price, NaN if
    there is none. `held` are the unconfirmed prices.
    """

    ts_ms: int
    level: float
    held: list[Price] = field(default_factory=list)


@dataclass(slots=True)
class JumpFilter:
    """Accepts or holds the prices of all coins, in the order of the polls that brought them."""

    _coins: dict[str, _Coin] = field(default_factory=dict)

    def accept(self, price: Price, cadence_s: float) -> list[Price]:
        """The prices to store now: none, this one, or the held prices of a jump that this one confirms."""
        coin = self._coins.get(price.coin_id)
        if coin is None:
            self._coins[price.coin_id] = _Coin(price.ts_ms, price.price)
            return [price]
        if _is_near(price.price, coin.level):
            return self._accept(coin, price)
        if price.ts_ms <= coin.ts_ms or any(price.ts_ms == other.ts_ms for other in coin.held):
            return []
        coin.held = [*coin.held, price][-_MAX_HELD:]
        return _confirmed(coin, cadence_s)

    def expect_near(self, coin_id: str, level: float) -> None:
        """Set a reference price for a coin's first price: one far from it is held like any jump."""
        coin = self._coins.setdefault(coin_id, _Coin(0, level))
        if math.isnan(coin.level):
            coin.level = level

    def expect_unknown(self, coin_id: str) -> None:
        """Hold the first price of a coin without any reference price until others agree with it."""
        self.expect_near(coin_id, math.nan)

    def reset_level(self, price: Price, cadence_s: float) -> list[Price]:
        """Make `price`, from a back-fill, the last accepted one if it is newer; return held prices near it."""
        coin = self._coins.setdefault(price.coin_id, _Coin(price.ts_ms, price.price))
        if price.ts_ms < coin.ts_ms:
            return []
        coin.ts_ms, coin.level = price.ts_ms, price.price
        held, coin.held = coin.held, []
        return [accepted for other in held for accepted in self.accept(other, cadence_s)]

    def last(self, coin_id: str) -> tuple[int, float] | None:
        """Event time and value of the coin's last accepted price, else of its newest held price, else None.

        The event time is 0 for a reference price.
        """
        coin = self._coins.get(coin_id)
        if coin is not None and math.isnan(coin.level) and coin.held:
            return coin.held[-1].ts_ms, coin.held[-1].price
        return None if coin is None else (coin.ts_ms, coin.level)

    def keep(self, coin_ids: Set[str]) -> None:
        """Forget the coins that are not in `coin_ids`."""
        self._coins = {coin_id: coin for coin_id, coin in self._coins.items() if coin_id in coin_ids}

    @property
    def unconfirmed(self) -> list[str]:
        """Coins with held prices."""
        return [coin_id for coin_id, coin in self._coins.items() if coin.held]

    def dump_state(self) -> str:
        """The held prices as JSON, for the next start."""
        return json.dumps([price for coin in self._coins.values() for price in coin.held])

    def load_state(self, text: str) -> None:
        """Hold the prices that `dump_state` wrote; call it after the last accepted prices are set.

        Invalid text raises a built-in error and changes nothing.
        """
        prices = [_price_of_row(row) for row in json.loads(text)]
        for price in prices:
            coin = self._coins.setdefault(price.coin_id, _Coin(0, math.nan))
            if price.ts_ms > coin.ts_ms:
                coin.held.append(price)

    def _accept(self, coin: _Coin, price: Price) -> list[Price]:
        """Accept a price within the limit, and drop the held prices that are not newer than it."""
        if price.ts_ms > coin.ts_ms:
            coin.ts_ms, coin.level = price.ts_ms, price.price
        coin.held = [other for other in coin.held if other.ts_ms > price.ts_ms]
        return [price]


def _price_of_row(row: Sequence[Any]) -> Price:
    """A row that `dump_state` wrote; raises ValueError or TypeError for anything else."""
    coin_id, ts_ms, price, market_cap, volume, fetched_ms = row
    numbers = [None if value is None else float(value) for value in (price, market_cap, volume)]
    if numbers[0] is None or not is_price(numbers[0]):
        raise ValueError(f"{price!r} is not a price")
    return Price(str(coin_id), int(ts_ms), numbers[0], numbers[1], numbers[2], int(fetched_ms))


def plausible_series(prices: Sequence[Price]) -> list[Price]:
    """Filter a back-filled series of one coin, in order of time, by the same rule.

    Three prices at one level confirm it, so a crash stays in. One or two prices away from their neighbours, or at the
    end, are left out. The reference is the median of the first nine prices, which two spikes cannot move.
    """
    if not prices:
        return []
    jump_filter = JumpFilter()
    jump_filter.expect_near(prices[0].coin_id, median(price.price for price in prices[:_START]))
    return [accepted for price in prices for accepted in jump_filter.accept(price, cadence_s=0)]


def contradicts(series: Iterable[Price], accepted: Sequence[tuple[int, float]]) -> bool:
    """Whether most of a coin's series lies more than 30 % off the prices accepted at about the same time.

    One such price is not enough: rows before a jump are right although a price after it is near in time. `accepted` are
    event times and values, in order.
    """
    verdicts = [_is_near(price.price, value) for price, value in _beside(series, accepted, _SAME_TIME_MS)]
    return 2 * verdicts.count(False) > len(verdicts)


def supported(prices: Iterable[Price], accepted: Sequence[tuple[int, float]]) -> list[Price]:
    """Those of `prices` that agree with a price accepted within five minutes of them."""
    return [price for price, value in _beside(prices, accepted, _MOMENT_MS) if _agree(price.price, value)]


def _beside(
    prices: Iterable[Price], accepted: Sequence[tuple[int, float]], within_ms: int
) -> list[tuple[Price, float]]:
    """Each price with the accepted value nearest in time, if it is within `within_ms`."""
    pairs = []
    for price in prices:
        at = bisect_left(accepted, (price.ts_ms, 0.0))
        near = min(accepted[max(at - 1, 0) : at + 1], key=lambda known: abs(known[0] - price.ts_ms), default=None)
        if near is not None and abs(near[0] - price.ts_ms) <= within_ms:
            pairs.append((price, near[1]))
    return pairs


def _confirmed(coin: _Coin, cadence_s: float) -> list[Price]:
    """The held prices that the newest one confirms; moves the coin's level."""
    newest = coin.held[-1]
    agreeing = [price for price in coin.held if _agree(price.price, newest.price)]
    if _polls(agreeing, cadence_s) < _NEEDED:
        return []
    before = newest.price if math.isnan(coin.level) else coin.level
    accepted = [price for price in coin.held if _is_between(price.price, before, newest.price)]
    last = max(accepted, key=lambda price: price.ts_ms)
    coin.ts_ms, coin.level, coin.held = last.ts_ms, last.price, []
    return accepted


def _polls(prices: Iterable[Price], cadence_s: float) -> int:
    """Number of polls behind `prices` that are at least one cadence apart, however the wall clock was set."""
    count, last_ms = 0, 0
    for price in prices:
        if count == 0 or abs(price.fetched_ms - last_ms) >= cadence_s * 1000 * _CADENCE_SLACK:
            count, last_ms = count + 1, price.fetched_ms
    return count


def _is_near(price: float, level: float) -> bool:
    return _MIN_RATIO <= price / level <= _MAX_RATIO


def _agree(price: float, other: float) -> bool:
    return max(price, other) <= _AGREE * min(price, other)


def _is_between(price: float, before: float, after: float) -> bool:
    """Whether `price` lies between the two levels or agrees with one of them."""
    return min(before, after) / _AGREE <= price <= max(before, after) * _AGREE
