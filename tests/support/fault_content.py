"""What each fault makes of an answer: another answer, or wrong values in a right shape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from core.times import to_datetime
from etl.local_market.api import Request
from etl.local_market.replies import Reply, edge_page, refuse, refuse_in_status, timestamp_text
from tests.support.faults import ANSWER_KINDS, CONTENT_KINDS, Fault

__all__ = ["chart_coin", "corrupt_content", "is_meant", "replace_answer"]

_TITLES: Final = {
    500: "Uh Oh! We're sorry, but something went wrong. (500)",
    502: "api.coingecko.com | 502: Bad gateway",
    503: "503 Service Temporarily Unavailable",
    504: "api.coingecko.com | 504: Gateway time-out",
}
_WRONG_PRICES: Final[dict[str, Any]] = {
    "price_null": None,
    "price_zero": 0,
    "price_nan": float("nan"),
    "price_infinity": float("inf"),
    "price_text": "not a number",
}
_LIMIT: Final = (
    "You've exceeded the Rate Limit. Please visit https://www.coingecko.com/en/api/pricing to subscribe to our API "
    "plans for higher rate limits."
)


def replace_answer(fault: Fault, now_ms: int) -> Reply | None:
    """The answer that this fault gives in place of the right one, or None if it is of another sort."""
    if fault.kind not in ANSWER_KINDS:
        return None
    if fault.kind == "rate_limit":
        return refuse_in_status(429, 429, _LIMIT, _waiting(fault, now_ms)).reply
    if fault.kind == "server_error":
        return edge_page(fault.status, _TITLES.get(fault.status, f"Error {fault.status}"))
    return {
        "throttled_text": Reply("Throttled", 429, content_type="text/plain"),
        "ban_1015": Reply("error code: 1015", 429, content_type="text/plain; charset=UTF-8"),
        "ban_1020": edge_page(
            403,
            "Access denied | api.coingecko.com used Cloudflare to restrict access (error code: 1020)",
        ),
        "html_200": edge_page(200, "Just a moment..."),
        "empty_object": Reply({}),
        "empty_list": Reply([]),
    }[fault.kind]


def corrupt_content(fault: Fault, reply: Reply, request: Request) -> Reply:
    """The same answer with wrong values; an answer that holds nothing of the kind stays as it is."""
    if fault.kind not in CONTENT_KINDS or reply.status != 200:
        return reply
    corrupt = {
        "future": _in_future,
        "missing": _left_out,
        "unordered": _unordered,
        "holes": _with_holes,
        "empty_arrays": _emptied,
        "cap_zero": _without_caps,
        "delisted": _delisted,
    }.get(fault.kind, _with_wrong_prices)
    return corrupt(fault, reply, request)


def _waiting(fault: Fault, now_ms: int) -> dict[str, str]:
    headers = {}
    if fault.retry_after_s is not None:
        headers["Retry-After"] = str(fault.retry_after_s)
    if fault.reset_after_s is not None:
        reset = to_datetime(now_ms + fault.reset_after_s * 1000)
        headers["x-ratelimit-reset"] = reset.strftime("%Y-%m-%d %H:%M:%S %z")
    return headers


def is_meant(fault: Fault, coin_id: str) -> bool:
    """Whether the fault hits this coin: it names it, or names none."""
    return not fault.coins or coin_id in fault.coins


def chart_coin(request: Request) -> str:
    """The coin whose chart is asked for, or an empty text."""
    parts = request.path.strip("/").split("/")
    return parts[1] if len(parts) == 3 and parts[2] == "market_chart" else ""


def _is_page(request: Request) -> bool:
    return request.path.strip("/") == "coins/markets"


def _is_meant_chart(fault: Fault, request: Request) -> bool:
    coin_id = chart_coin(request)
    return bool(coin_id) and is_meant(fault, coin_id)


def _with_wrong_prices(fault: Fault, reply: Reply, request: Request) -> Reply:
    def wrong(price: Any) -> Any:
        if fault.kind in _WRONG_PRICES:
            return _WRONG_PRICES[fault.kind]
        factor = -1.0 if fault.kind == "price_negative" else fault.factor
        return None if price is None else price * factor

    _change_prices(fault, reply, request, wrong)
    return reply


def _change_prices(fault: Fault, reply: Reply, request: Request, change: Callable[[Any], Any]) -> None:
    """Apply `change` to current prices, and to the newest row of a chart."""
    if _is_page(request):
        for entry in reply.payload:
            if is_meant(fault, entry["id"]):
                entry["current_price"] = change(entry["current_price"])
    elif _is_meant_chart(fault, request):
        for row in reply.payload["prices"][-1:]:
            row[1] = change(row[1])


def _in_future(fault: Fault, reply: Reply, request: Request) -> Reply:
    ahead_ms = request.time_ms + int(fault.ahead_s * 1000)
    if _is_page(request):
        for entry in reply.payload:
            if is_meant(fault, entry["id"]):
                entry["last_updated"] = timestamp_text(ahead_ms)
    elif _is_meant_chart(fault, request):
        for rows in reply.payload.values():
            rows.extend([[ahead_ms, row[1]] for row in rows[-1:]])
    return reply


def _left_out(fault: Fault, reply: Reply, request: Request) -> Reply:
    """Without `coins` every second one is left out."""
    if _is_page(request):
        gone = set(fault.coins) or {entry["id"] for entry in reply.payload[::2]}
        reply.payload = [entry for entry in reply.payload if entry["id"] not in gone]
    return reply


def _unordered(fault: Fault, reply: Reply, request: Request) -> Reply:
    """A page in the opposite order; a chart whose last rows come backwards, one of them twice."""
    if _is_page(request):
        reply.payload.reverse()
    elif _is_meant_chart(fault, request):
        for name, rows in reply.payload.items():
            reply.payload[name] = [*rows[:-4], *rows[-4:][::-1], *rows[-2:-1]]
    return reply


def _with_holes(fault: Fault, reply: Reply, request: Request) -> Reply:
    """A chart in which three rows of every twenty are missing."""
    if _is_meant_chart(fault, request):
        for name, rows in reply.payload.items():
            reply.payload[name] = [row for number, row in enumerate(rows, 1) if number % 20 > 2]
    return reply


def _emptied(fault: Fault, reply: Reply, request: Request) -> Reply:
    if _is_meant_chart(fault, request):
        reply.payload = {name: [] for name in reply.payload}
    elif _is_page(request):
        for entry in reply.payload:
            if "sparkline_in_7d" in entry and is_meant(fault, entry["id"]):
                entry["sparkline_in_7d"] = {"price": []}
    return reply


def _without_caps(fault: Fault, reply: Reply, request: Request) -> Reply:
    if _is_page(request):
        for entry in reply.payload:
            if is_meant(fault, entry["id"]):
                entry.update(market_cap=0, circulating_supply=0, fully_diluted_valuation=None)
    elif _is_meant_chart(fault, request):
        for number, row in enumerate(reply.payload["market_caps"]):
            row[1] = None if number % 2 else 0
    return reply


def _delisted(fault: Fault, reply: Reply, request: Request) -> Reply:
    if _is_meant_chart(fault, request):
        return refuse(404, "coin not found").reply
    return _left_out(fault, reply, request)
