"""A local market server that spoils its own answers as a plan of faults says: `FaultyMarketServer`."""

from __future__ import annotations

import os
import socket
import struct
import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import numpy as np

from etl.arrays import FloatArray, IntArray
from etl.local_market.api import Request
from etl.local_market.coin_names import MarketCoin
from etl.local_market.market import Market, MarketView
from etl.local_market.replies import Reply
from etl.local_market.server import MarketServer, RequestHandler
from tests.support.fault_content import chart_coin, corrupt_content, is_meant, replace_answer
from tests.support.faults import MARKET_KINDS, TRANSPORT_KINDS, Fault, FaultPlan

__all__ = ["FaultyMarketServer"]

_RESET: Final = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
"""SO_LINGER of zero seconds: closing the socket resets the connection."""


class _RenamedMarket(MarketView):
    """A market in which one coin goes by another id."""

    def __init__(self, market: Market, old_id: str, new_id: str) -> None:
        super().__init__(market)
        self._coins = tuple(replace(coin, id=new_id) if coin.id == old_id else coin for coin in market.coins)

    @property
    def coins(self) -> tuple[MarketCoin, ...]:
        """The coins on offer, one of them under its new id."""
        return self._coins


class _StoppedMarket(MarketView):
    """A market in which the coins that `fault` means have not moved since `stop_ms`."""

    def __init__(self, market: Market, fault: Fault, stop_ms: int) -> None:
        super().__init__(market)
        far = np.iinfo(np.int64).max
        self._last_ms = np.array([stop_ms if is_meant(fault, coin.id) else far for coin in market.coins])

    def event_times(self, rows: IntArray, times_ms: IntArray) -> IntArray:
        """When the price in force at each time, or when the coin stopped, was made."""
        return self._market.event_times(rows, np.minimum(times_ms, self._last_ms[rows]))

    def prices(self, rows: IntArray, times_ms: IntArray) -> FloatArray:
        """The price in force at each time, or when the coin stopped."""
        return self._market.prices(rows, np.minimum(times_ms, self._last_ms[rows]))


class _FaultyHandler(RequestHandler):
    """Asks the plan of faults for every request what goes wrong with it."""

    @property
    def _faulty(self) -> FaultyMarketServer:
        assert isinstance(self.owner, FaultyMarketServer)
        return self.owner

    def answer(self, request: Request) -> Reply:
        """The answer that the faults leave of the right one."""
        hits = self._faulty.faults.take(unquote(urlsplit(self.path).path), request.time_ms)
        self._transport = {fault.kind: fault for fault, _ in hits if fault.kind in TRANSPORT_KINDS}
        for fault, _ in hits:
            if (other := replace_answer(fault, request.time_ms)) is not None:
                return other
        reply = self.owner.api.refusal(request) or self._content(request, hits)
        for fault, _ in hits:
            reply = corrupt_content(fault, reply, request)
        return reply

    def _content(self, request: Request, hits: list[tuple[Fault, int]]) -> Reply:
        """What a market has for the request in which coins were renamed or stopped; a chart then ends earlier."""
        market, time_ms = self.owner.market, request.time_ms
        for fault, first_ms in hits:
            if fault.kind == "renamed":
                market = _RenamedMarket(market, fault.coins[0], fault.new_id)
            elif fault.kind in MARKET_KINDS:
                stop_ms = first_ms if fault.kind == "frozen" else request.time_ms - int(fault.age_s * 1000)
                market = _StoppedMarket(market, fault, stop_ms)
                time_ms = stop_ms if is_meant(fault, chart_coin(request)) else time_ms
        is_chart = bool(chart_coin(request))
        return self.owner.api.content(market, replace(request, time_ms=time_ms) if is_chart else request)

    def send_bytes(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """Send the answer in the way that the faults leave, closing the connection where they cut it."""
        faults = self._transport
        if "reset" in faults:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self.connection.close()
            self.close_connection = True
            return
        if "gzip_garbage" in faults:
            headers, body = {**headers, "Content-Encoding": "gzip"}, b"\x1f\x8b\x08\x00" + body[::-1]
        self.send_head(status, headers, len(body) + (100 if "wrong_length" in faults else 0))
        self.close_connection = self.close_connection or bool(faults.keys() & {"cut_body", "wrong_length"})
        body = body[: len(body) // 2] if "cut_body" in faults else body
        if slow := faults.get("slow_body"):
            middle = len(body) // 2
            self.wfile.write(body[:middle])
            self._faulty.stopping.wait(slow.delay_s)
            body = body[middle:]
        self.wfile.write(body)


class FaultyMarketServer(MarketServer):
    """A MarketServer under a plan of faults; `faults` may be replaced while it runs."""

    handler = _FaultyHandler

    def __init__(self, market: Market, *, faults: FaultPlan | None = None, **options: Any) -> None:
        self.faults = faults or FaultPlan()
        self.stopping = threading.Event()
        super().__init__(market, **options)

    def stop(self) -> None:
        """End slow answers too."""
        self.stopping.set()
        super().stop()
