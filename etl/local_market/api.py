"""The local market server's answers as a function of path, query and headers, without HTTP."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from etl.local_market.chart import market_chart
from etl.local_market.market import Market
from etl.local_market.markets_page import Query, markets_page
from etl.local_market.plans import PlanLimits
from etl.local_market.replies import RefusedRequest, Reply, refuse

__all__ = ["MarketApi", "Request"]

_FRESH_S: Final = {"markets": 60, "chart": 30}


@dataclass(frozen=True, slots=True)
class Request:
    """One GET request: when, which path below /api/v3, with which query and headers (names in lower case)."""

    time_ms: int
    path: str
    query: Query
    headers: dict[str, str]


class MarketApi:
    """Answers GET requests about a market under the rules of `limits`.

    With `cached` the answers within one window of an endpoint are identical, as they are behind CoinGecko's edge.
    """

    def __init__(self, limits: PlanLimits, *, cached: bool = False) -> None:
        self._limits = limits
        self._cached = cached

    def refusal(self, request: Request) -> Reply | None:
        """The plan's refusal of this request, or None; counts the request."""
        refused = self._limits.check(request.headers, request.query, request.time_ms)
        return None if refused is None else refused.reply

    def content(self, market: Market, request: Request) -> Reply:
        """The answer to a request that the plan allows."""
        try:
            endpoint, make = self._endpoint(market, request.path.strip("/").split("/"), request.query)
            window_ms = _FRESH_S.get(endpoint, 1) * 1000 if self._cached else 1
            as_of_ms = request.time_ms // window_ms * window_ms
            reply = Reply(make(as_of_ms))
        except RefusedRequest as error:
            return error.reply
        reply.headers = _edge_headers(request, _FRESH_S.get(endpoint, 0), request.time_ms - as_of_ms)
        self._limits.count_answer(reply)
        return reply

    def _endpoint(self, market: Market, parts: list[str], query: Query) -> tuple[str, Callable[[int], object]]:
        match parts:
            case ["ping"]:
                return "ping", lambda _now_ms: {"gecko_says": "(V3) To the Moon!"}
            case ["coins", "markets"]:
                return "markets", lambda now_ms: markets_page(market, query, now_ms)
            case ["coins", coin, "market_chart"]:
                return "chart", lambda now_ms: market_chart(market, coin, query, now_ms, paid=self._limits.paid)
        raise refuse(404, "Incorrect path. Please check https://www.coingecko.com/api/")


def _edge_headers(request: Request, fresh_s: int, age_ms: int) -> dict[str, str]:
    """Headers that CoinGecko's edge adds to a 200."""
    identity = hashlib.blake2b(f"{request.path}{sorted(request.query.items())}".encode(), digest_size=16).hexdigest()
    return {
        "Cache-Control": f"max-age=30, public, must-revalidate, s-maxage={fresh_s}" if fresh_s else "no-cache",
        "Vary": "Accept-Encoding, Origin",
        "Age": str(age_ms // 1000),
        "CF-Cache-Status": "HIT" if age_ms >= 1000 else "MISS",
        "CF-Ray": f"{identity[:16]}-GRU",
        "X-Request-Id": f"{identity[:8]}-{identity[8:12]}-{identity[12:16]}-{identity[16:20]}-{identity[20:]}",
        "Access-Control-Expose-Headers": "link, per-page, total",
    }
