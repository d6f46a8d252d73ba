"""The market of a simulated month: it spoils answers when the plan says so, and knows what its good ones carried."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from core.times import parse_iso
from etl.local_market.api import MarketApi, Request
from etl.local_market.cadence import LiveCadence
from etl.local_market.coin_names import coins_wanted
from etl.local_market.market import Market
from etl.local_market.plans import PlanLimits
from etl.local_market.replies import Reply
from etl.local_market.simulated import SimulatedMarket
from tests.support.faults import Fault, FaultPlan
from tests.support.faulty_market import FaultyMarketServer

__all__ = ["MonthMarket", "Prices"]

Prices = dict[tuple[str, int], float]
"""Coin and event time in UTC milliseconds → price."""

_SAME_QUOTE_MS: Final = 1000
"""A chart ends with the newest quote, sometimes twice within a second."""


@dataclass
class _Spell:
    """A fault at work: how many more requests it hits, and when it hit the first one."""

    fault: Fault
    left: int
    first_ms: int | None = None


class _TimedFaults(FaultPlan):
    """Deals out each fault to requests that come after its time, one fault a request; `hits` counts the faults."""

    def __init__(self, due: Iterable[tuple[int, Fault]], begin: Callable[[bool], None]) -> None:
        super().__init__()
        self._due = sorted(due, key=lambda one: one[0])
        self._spells: list[_Spell] = []
        self._begin = begin
        self.hits = 0

    def take(self, path: str, now_ms: int) -> list[tuple[Fault, int]]:
        """The fault that hits this request, with the moment of its first hit; none or one."""
        while self._due and self._due[0][0] <= now_ms:
            fault = self._due.pop(0)[1]
            self._spells.append(_Spell(fault, fault.times or 1))
        spell = next((one for one in self._spells if one.fault.path in path), None)
        self._begin(spell is not None)
        if spell is None:
            return []
        self.fired.append((path, spell.fault.kind))
        if spell.first_ms is None:
            self.hits, spell.first_ms = self.hits + 1, now_ms
        spell.left -= 1
        if spell.left == 0:
            self._spells.remove(spell)
        return [(spell.fault, spell.first_ms)]


class _NotedApi(MarketApi):
    """Answers as usual, and passes on what an answer holds before any fault touches it."""

    def __init__(self, note: Callable[[Request, Reply], None]) -> None:
        super().__init__(PlanLimits("local"))
        self._note = note

    def content(self, market: Market, request: Request) -> Reply:
        """The answer to a request."""
        reply = super().content(market, request)
        self._note(request, reply)
        return reply


class MonthMarket:
    """A faulty market server, and what must be stored because a good answer carried it.

    The collector asks one thing after another, so an answer was stored once the next request comes. The last answer
    before a kill may be lost, and so may the one during which the machine fell asleep: it comes after the time-out,
    also where the request leaves the machine only when it wakes.
    """

    def __init__(self, coins: str, clock: Callable[[], int], faults: Iterable[tuple[int, Fault]]) -> None:
        self.market = LiveCadence(SimulatedMarket(coins_wanted(coins), 3))
        self.faults = _TimedFaults(faults, self._begin)
        self.server = FaultyMarketServer(self.market, faults=self.faults, clock=clock)
        self.server.api = _NotedApi(self._note)
        self.carried: Prices = {}
        self.replies = 0
        self._last: Prices = {}
        self._is_spoiled = self._is_next_excused = False
        self._lock = threading.Lock()

    def confirm(self) -> None:
        """The machine has ended in order: its last answer was stored."""
        with self._lock:
            self.carried |= self._last
            self._last = {}

    def excuse(self, *, next_too: bool = False) -> None:
        """The machine was killed or fell asleep: its last answer may be lost, after a sleep the next one too."""
        with self._lock:
            self._last = {}
            self._is_next_excused = next_too

    def _begin(self, spoiled: bool) -> None:
        self.confirm()
        self._is_spoiled = spoiled

    def _note(self, request: Request, reply: Reply) -> None:
        if self._is_spoiled or reply.status != 200:
            return
        with self._lock:
            self.replies += 1
            self._last = {} if self._is_next_excused else dict(_prices(request.path, reply.payload))
            self._is_next_excused = False


def _prices(path: str, payload: Any) -> Iterable[tuple[tuple[str, int], float]]:
    if path.endswith("/markets"):
        return [((row["id"], parse_iso(row["last_updated"])), row["current_price"]) for row in payload]
    coin, newest_ms = path.split("/")[2], payload["prices"][-1][0]
    return [((coin, ts_ms), price) for ts_ms, price in payload["prices"] if abs(ts_ms - newest_ms) > _SAME_QUOTE_MS]
