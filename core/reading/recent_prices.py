"""The newest prices of each coin in memory: read once, later only what is new. Thread-safe."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Final

import numpy as np
import numpy.typing as npt

from core.price_store import PriceReader
from core.times import FOREVER_MS

__all__ = ["PriceSpan", "RecentPrices"]

_ROWS: Final = 3_000
"""Of each coin: a day of prices half a minute apart, and a little more."""

_COINS: Final = 256


@dataclass(frozen=True)
class PriceSpan:
    """Prices of one coin.

    Attributes:
        times_ms: event times (n,) in increasing order, in UTC milliseconds.
        prices: (n,).
    """

    times_ms: npt.NDArray[np.int64]
    prices: npt.NDArray[np.float64]

    @classmethod
    def of_rows(cls, rows: Iterable[tuple[int, float]]) -> PriceSpan:
        """From event times and prices in order."""
        values = np.fromiter(chain.from_iterable(rows), np.float64).reshape(-1, 2)
        return cls(values[:, 0].astype(np.int64), values[:, 1].copy())

    def part(self, first: int, end: int) -> PriceSpan:
        """The prices from place `first` to before `end`."""
        return PriceSpan(self.times_ms[first:end], self.prices[first:end])

    def newest_first(self) -> PriceSpan:
        """The same in decreasing order of time."""
        return PriceSpan(self.times_ms[::-1], self.prices[::-1])


@dataclass(frozen=True)
class _Known:
    """The newest prices of a coin; `is_all` if nothing older is stored. `state` changes when older ones were added."""

    state: tuple[object, int]
    span: PriceSpan
    is_all: bool


class RecentPrices:
    """Answers from memory what the newest prices of a coin can answer."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._lock = threading.Lock()

    def within(self, prices: PriceReader, coin_id: str, start_ms: int, end_ms: int) -> tuple[PriceSpan, bool]:
        """The prices in memory within [start_ms, end_ms], and whether older ones within may be stored."""
        known = self._current(prices, coin_id)
        times_ms = known.span.times_ms
        first, end = np.searchsorted(times_ms, (start_ms, min(end_ms, FOREVER_MS) + 1))
        return known.span.part(int(first), int(end)), not known.is_all and start_ms < times_ms[0]

    def newest_ms(self, prices: PriceReader, coin_id: str) -> int:
        """Event time of the newest price; 0 without any."""
        times_ms = self._current(prices, coin_id).span.times_ms
        return int(times_ms[-1]) if len(times_ms) else 0

    def _current(self, prices: PriceReader, coin_id: str) -> _Known:
        with self._lock:
            known = self._known.get(coin_id)
        state = (prices.identity, prices.revision(coin_id))
        found = (
            _read(prices, coin_id, state)
            if known is None or known.state != state
            else _extended(known, prices, coin_id)
        )
        if found is not known:
            with self._lock:
                self._known[coin_id] = found
                self._known.move_to_end(coin_id)
                while len(self._known) > _COINS:
                    self._known.popitem(last=False)
        return found


def _read(prices: PriceReader, coin_id: str, state: tuple[object, int]) -> _Known:
    batches = prices.batches(coin_id, 0, FOREVER_MS, _ROWS, bare=True)
    newest_first = [(row[0], row[1]) for rows in batches for row in rows]
    return _Known(state, PriceSpan.of_rows(reversed(newest_first)), len(newest_first) < _ROWS)


def _extended(known: _Known, prices: PriceReader, coin_id: str) -> _Known:
    """The same object if nothing is new."""
    times_ms = known.span.times_ms
    rows = prices.range(coin_id, int(times_ms[-1]) + 1 if len(times_ms) else 0)
    if not rows:
        return known
    new = PriceSpan.of_rows(rows)
    span = PriceSpan(np.append(times_ms, new.times_ms), np.append(known.span.prices, new.prices))
    count = len(span.times_ms)
    return _Known(known.state, span.part(max(0, count - _ROWS), count), known.is_all and count <= _ROWS)
