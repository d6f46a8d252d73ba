"""The local market server's answers: from path, query and headers to a `Reply`, without any HTTP."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from etl.local_market.chart import market_chart, market_chart_range
from etl.local_market.market import Market
from etl.local_market.pages import Query, Shifts, coins_list, markets, simple_price
from etl.local_market.plans import Doorkeeper
from etl.local_market.replies import Refusal, Reply, refuse

__all__ = ["Asked", "MarketApi"]

_FRESH_S: Final = {"list": 60, "markets": 60, "simple": 60, "chart": 30}


@dataclass(frozen=True, slots=True)
class Asked:
    """One GET request: when, which path below /api/v3, with which query and headers (names in lower case)."""

    time_ms: int
    path: str
    query: Query
    headers: dict[str, str]


class MarketApi:
    """Answers GET requests about a market under the rules of `doorkeeper`.

    With `cached` the answers within one window of an endpoint are identical, as they are behind CoinGecko's edge.
    """

    def __init__(self, doorkeeper: Doorkeeper, *, cached: bool = False) -> None:
        self._doorkeeper = doorkeeper
        self._cached = cached

    def answer(self, market: Market, asked: Asked, shifts: Shifts) -> Reply:
        """The answer to one request; `shifts` are lags of single coins."""
        refusal = self._doorkeeper.check(asked.headers, asked.query, asked.time_ms)
        if refusal is not None:
            return refusal.reply
        try:
            endpoint, make = self._endpoint(market, asked.path.strip("/").split("/"), asked.query)
            window_ms = _FRESH_S.get(endpoint, 1) * 1000 if self._cached else 1
            as_of_ms = asked.time_ms // window_ms * window_ms
            reply = Reply(make(as_of_ms, shifts), endpoint=endpoint)
        except Refusal as error:
            return error.reply
        reply.headers = _edge_headers(asked, _FRESH_S.get(endpoint, 0), asked.time_ms - as_of_ms)
        self._doorkeeper.count_answer(reply)
        return reply

    def _endpoint(self, market: Market, parts: list[str], query: Query) -> tuple[str, Callable[[int, Shifts], object]]:
        paid = self._doorkeeper.paid
        match parts:
            case ["ping" | "replay" as name]:
                ping = {"gecko_says": "(V3) To the Moon!"}
                return name, lambda _now, _shifts: ping if name == "ping" else market.describe()
            case ["coins", "list"]:
                return "list", lambda _now, _shifts: coins_list(market, query)
            case ["coins", "markets"]:
                return "markets", lambda now, shifts: markets(market, query, now, shifts)
            case ["simple", "price"]:
                return "simple", lambda now, shifts: simple_price(market, query, now, shifts)
            case ["coins", coin, "market_chart"]:
                return "chart", lambda now, shifts: market_chart(market, coin, query, now, shifts, paid=paid)
            case ["coins", coin, "market_chart", "range"]:
                return "chart", lambda now, shifts: market_chart_range(market, coin, query, now, shifts, paid=paid)
        raise refuse(404, "Incorrect path. Please check https://www.coingecko.com/api/")


def _edge_headers(asked: Asked, fresh_s: int, age_ms: int) -> dict[str, str]:
    """What CoinGecko's edge adds to a 200."""
    identity = hashlib.blake2b(f"{asked.path}{sorted(asked.query.items())}".encode(), digest_size=16).hexdigest()
    return {
        "Cache-Control": f"max-age=30, public, must-revalidate, s-maxage={fresh_s}" if fresh_s else "no-cache",
        "Vary": "Accept-Encoding, Origin",
        "Age": str(age_ms // 1000),
        "CF-Cache-Status": "HIT" if age_ms >= 1000 else "MISS",
        "CF-Ray": f"{identity[:16]}-GRU",
        "X-Request-Id": f"{identity[:8]}-{identity[8:12]}-{identity[12:16]}-{identity[16:20]}-{identity[20:]}",
        "Access-Control-Expose-Headers": "link, per-page, total",
    }
