"""Which prices are believed: a move of more than 30 % waits until two further polls agree with it.

Pure. What arrives within the limit of the last accepted price is accepted at once. A jump is held; two more polls,
each at least one cadence after the one before, with quotes of their own (a cached quote repeats, it does not confirm)
that agree within 10 % make it true, and every held price that fits is accepted at its own event time: those that agree,
and those on the way from the old level to the new one. A newer quote back at the old level drops what was held.

A coin's first price is held in the same way where nothing beside it (hourly prices, range of the day) bears it out.

The last accepted price stays the measure after any downtime: a market that did move 30 % meanwhile is believed two
polls later, or as soon as the back-fill shows the path.
"""

from __future__ import annotations

import json
import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence
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
"""The jump itself and two further polls."""
_CADENCE_SLACK: Final = 0.8
_MAX_HELD: Final = 100
_START: Final = 9
_SAME_TIME_MS: Final = 10 * MINUTE_MS
_MOMENT_MS: Final = 5 * MINUTE_MS


@dataclass(slots=True)
class _Coin:
    """The last accepted price of a coin, and the prices that wait.

    The event time is 0 where the price is only a hint; the price is NaN where there is not even one.
    """

    ts_ms: int
    level: float
    held: list[Price] = field(default_factory=list)


@dataclass(slots=True)
class JumpFilter:
    """Judges the prices of all coins, each in the order of the polls that brought them."""

    _coins: dict[str, _Coin] = field(default_factory=dict)

    def accept(self, price: Price, cadence_s: float) -> list[Price]:
        """The prices to be stored now: none, this one, or a jump that this one confirms."""
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
        """Where a coin's price lay before its first one: a first price far from it is held like any jump."""
        coin = self._coins.setdefault(coin_id, _Coin(0, level))
        if math.isnan(coin.level):
            coin.level = level

    def expect_unknown(self, coin_id: str) -> None:
        """Nothing is known of a coin: its first price is held like any jump, until others agree with it."""
        self.expect_near(coin_id, math.nan)

    def reset_level(self, price: Price, cadence_s: float) -> list[Price]:
        """Take `price`, stored by the back-fill, as last accepted if it is newer; return what waited and now fits."""
        coin = self._coins.setdefault(price.coin_id, _Coin(price.ts_ms, price.price))
        if price.ts_ms < coin.ts_ms:
            return []
        coin.ts_ms, coin.level = price.ts_ms, price.price
        held, coin.held = coin.held, []
        return [accepted for other in held for accepted in self.accept(other, cadence_s)]

    def last(self, coin_id: str) -> tuple[int, float] | None:
        """Event time and value of the coin's last accepted price, or None.

        The time is 0 where the price is only a hint. Before any is accepted, the newest price that waits counts.
        """
        coin = self._coins.get(coin_id)
        if coin is not None and math.isnan(coin.level) and coin.held:
            return coin.held[-1].ts_ms, coin.held[-1].price
        return None if coin is None else (coin.ts_ms, coin.level)

    @property
    def unconfirmed(self) -> list[str]:
        """The coins of which a jump is held."""
        return [coin_id for coin_id, coin in self._coins.items() if coin.held]

    def dump_state(self) -> str:
        """The held prices as JSON, for the next start."""
        return json.dumps([price for coin in self._coins.values() for price in coin.held])

    def load_state(self, text: str) -> None:
        """Hold again what `dump_state` wrote; to be called when the coins' last accepted prices are known.

        All of it, or nothing and an error of any built-in kind.
        """
        prices = [_price_of_row(row) for row in json.loads(text)]
        for price in prices:
            coin = self._coins.setdefault(price.coin_id, _Coin(0, math.nan))
            if price.ts_ms > coin.ts_ms:
                coin.held.append(price)

    def _accept(self, coin: _Coin, price: Price) -> list[Price]:
        """A price within the limit; only one newer than what is held shows that the jump has gone."""
        if price.ts_ms > coin.ts_ms:
            coin.ts_ms, coin.level = price.ts_ms, price.price
        coin.held = [other for other in coin.held if other.ts_ms > price.ts_ms]
        return [price]


def _price_of_row(row: Sequence[Any]) -> Price:
    """A row of `JumpFilter.dump_state`; raises ValueError or TypeError for another."""
    coin_id, ts_ms, price, market_cap, volume, fetched_ms = row
    numbers = [None if value is None else float(value) for value in (price, market_cap, volume)]
    if numbers[0] is None or not is_price(numbers[0]):
        raise ValueError(f"{price!r} is no price")
    return Price(str(coin_id), int(ts_ms), numbers[0], numbers[1], numbers[2], int(fetched_ms))


def plausible_series(prices: Sequence[Price]) -> list[Price]:
    """A back-filled series of one coin, in order of time, without what the same rule holds back.

    Three prices of a level make it true, so a crash survives; one or two away from their neighbours, or at the very
    end, are left out. It starts from the median of its first nine prices, which two spikes cannot move.
    """
    if not prices:
        return []
    jump_filter = JumpFilter()
    jump_filter.expect_near(prices[0].coin_id, median(price.price for price in prices[:_START]))
    return [accepted for price in prices for accepted in jump_filter.accept(price, cadence_s=0)]


def contradicts(series: Iterable[Price], accepted: Sequence[tuple[int, float]]) -> bool:
    """Whether most of a series of one coin lies more than 30 % off the accepted prices of about the same time.

    `accepted` holds event times and values in order. A single contradiction is not enough: the rows before a jump are
    true beside the price after it.
    """
    verdicts = [_is_near(price.price, value) for price, value in _beside(series, accepted, _SAME_TIME_MS)]
    return 2 * verdicts.count(False) > len(verdicts)


def supported(prices: Iterable[Price], accepted: Sequence[tuple[int, float]]) -> list[Price]:
    """Those of `prices` with which a price `accepted` within five minutes of them agrees."""
    return [price for price, value in _beside(prices, accepted, _MOMENT_MS) if _agree(price.price, value)]


def _beside(
    prices: Iterable[Price], accepted: Sequence[tuple[int, float]], within_ms: int
) -> list[tuple[Price, float]]:
    """Each price with the accepted value nearest in time, where there is one `within_ms` of it."""
    pairs = []
    for price in prices:
        at = bisect_left(accepted, (price.ts_ms, 0.0))
        near = min(accepted[max(at - 1, 0) : at + 1], key=lambda known: abs(known[0] - price.ts_ms), default=None)
        if near is not None and abs(near[0] - price.ts_ms) <= within_ms:
            pairs.append((price, near[1]))
    return pairs


def _confirmed(coin: _Coin, cadence_s: float) -> list[Price]:
    """What the newest held price confirms; the coin's level moves with it."""
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
    """How many of the polls that brought `prices` lie at least one cadence apart, whichever way the clock was set."""
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
    """Whether `price` lies on the way from one level to the next, or agrees with either."""
    return min(before, after) / _AGREE <= price <= max(before, after) * _AGREE
