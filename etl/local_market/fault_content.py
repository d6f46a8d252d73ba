"""What each fault makes of an answer: another answer, or wrong values in a right shape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from core.times import to_datetime
from etl.local_market.api import Asked
from etl.local_market.faults import ANSWER_KINDS, CONTENT_KINDS, Fault
from etl.local_market.replies import Reply, html_page, moment, refuse, refuse_in_status

__all__ = ["replace_answer", "spoil_content"]

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
        return html_page(fault.status, _TITLES.get(fault.status, f"Error {fault.status}"))
    return {
        "throttled_text": Reply("Throttled", 429, content_type="text/plain"),
        "ban_1015": Reply("error code: 1015", 429, content_type="text/plain; charset=UTF-8"),
        "ban_1020": html_page(
            403,
            "Access denied | api.coingecko.com used Cloudflare to restrict access (error code: 1020)",
        ),
        "html_200": html_page(200, "Just a moment..."),
        "empty_object": Reply({}),
        "empty_list": Reply([]),
    }[fault.kind]


def spoil_content(fault: Fault, reply: Reply, asked: Asked) -> Reply:
    """The same answer with wrong values; an answer that holds nothing of the kind stays as it is."""
    if fault.kind not in CONTENT_KINDS or reply.status != 200:
        return reply
    spoiler = {
        "future": _in_future,
        "missing": _left_out,
        "unordered": _unordered,
        "holes": _with_holes,
        "empty_arrays": _emptied,
        "cap_zero": _without_caps,
        "renamed": _shell_of_old_id,
        "delisted": _delisted,
    }.get(fault.kind, _with_wrong_prices)
    return spoiler(fault, reply, asked)


def _waiting(fault: Fault, now_ms: int) -> dict[str, str]:
    headers = {}
    if fault.retry_after_s is not None:
        headers["Retry-After"] = str(fault.retry_after_s)
    if fault.reset_after_s is not None:
        reset = to_datetime(now_ms + fault.reset_after_s * 1000)
        headers["x-ratelimit-reset"] = reset.strftime("%Y-%m-%d %H:%M:%S %z")
    return headers


def _meant(fault: Fault, coin_id: str) -> bool:
    return not fault.coins or coin_id in fault.coins


def _chart_coin(asked: Asked) -> str:
    return asked.path.split("/coins/")[-1].split("/")[0]


def _with_wrong_prices(fault: Fault, reply: Reply, asked: Asked) -> Reply:
    def wrong(price: Any) -> Any:
        if fault.kind in _WRONG_PRICES:
            return _WRONG_PRICES[fault.kind]
        factor = -1.0 if fault.kind == "price_negative" else fault.factor
        return None if price is None else price * factor

    _change_prices(fault, reply, asked, wrong)
    return reply


def _change_prices(fault: Fault, reply: Reply, asked: Asked, change: Callable[[Any], Any]) -> None:
    """Apply `change` to current prices, and to the newest row of a chart."""
    if reply.endpoint == "markets":
        for entry in reply.payload:
            if _meant(fault, entry["id"]):
                entry["current_price"] = change(entry["current_price"])
    elif reply.endpoint == "simple":
        for coin_id, entry in reply.payload.items():
            for name in [name for name in entry if "_" not in name and _meant(fault, coin_id)]:
                entry[name] = change(entry[name])
    elif reply.endpoint == "chart" and _meant(fault, _chart_coin(asked)):
        for row in reply.payload["prices"][-1:]:
            row[1] = change(row[1])


def _in_future(fault: Fault, reply: Reply, asked: Asked) -> Reply:
    ahead_ms = asked.time_ms + int(fault.ahead_s * 1000)
    if reply.endpoint == "markets":
        for entry in reply.payload:
            if _meant(fault, entry["id"]):
                entry["last_updated"] = moment(ahead_ms)
    elif reply.endpoint == "simple":
        for coin_id, entry in reply.payload.items():
            if _meant(fault, coin_id) and "last_updated_at" in entry:
                entry["last_updated_at"] = ahead_ms // 1000
    elif reply.endpoint == "chart" and _meant(fault, _chart_coin(asked)):
        for rows in reply.payload.values():
            rows.extend([[ahead_ms, row[1]] for row in rows[-1:]])
    return reply


def _left_out(fault: Fault, reply: Reply, _asked: Asked) -> Reply:
    """Without `coins` every second one is left out."""
    if reply.endpoint in ("markets", "list"):
        gone = set(fault.coins) or {entry["id"] for entry in reply.payload[::2]}
        reply.payload = [entry for entry in reply.payload if entry["id"] not in gone]
    elif reply.endpoint == "simple":
        gone = set(fault.coins) or set(list(reply.payload)[::2])
        reply.payload = {coin_id: entry for coin_id, entry in reply.payload.items() if coin_id not in gone}
    return reply


def _unordered(fault: Fault, reply: Reply, asked: Asked) -> Reply:
    """A page in the opposite order; a chart whose last rows come backwards, one of them twice."""
    if reply.endpoint in ("markets", "list"):
        reply.payload.reverse()
    elif reply.endpoint == "chart" and _meant(fault, _chart_coin(asked)):
        for name, rows in reply.payload.items():
            reply.payload[name] = [*rows[:-4], *rows[-4:][::-1], *rows[-2:-1]]
    return reply


def _with_holes(fault: Fault, reply: Reply, asked: Asked) -> Reply:
    """A chart in which three rows of every twenty are missing."""
    if reply.endpoint == "chart" and _meant(fault, _chart_coin(asked)):
        for name, rows in reply.payload.items():
            reply.payload[name] = [row for number, row in enumerate(rows, 1) if number % 20 > 2]
    return reply


def _emptied(fault: Fault, reply: Reply, asked: Asked) -> Reply:
    if reply.endpoint == "chart" and _meant(fault, _chart_coin(asked)):
        reply.payload = {name: [] for name in reply.payload}
    elif reply.endpoint == "markets":
        for entry in reply.payload:
            if "sparkline_in_7d" in entry and _meant(fault, entry["id"]):
                entry["sparkline_in_7d"] = {"price": []}
    return reply


def _without_caps(fault: Fault, reply: Reply, asked: Asked) -> Reply:
    if reply.endpoint == "markets":
        for entry in reply.payload:
            if _meant(fault, entry["id"]):
                entry.update(market_cap=0, circulating_supply=0, fully_diluted_valuation=None)
    elif reply.endpoint == "chart" and _meant(fault, _chart_coin(asked)):
        for number, row in enumerate(reply.payload["market_caps"]):
            row[1] = None if number % 2 else 0
    return reply


def _shell_of_old_id(fault: Fault, reply: Reply, asked: Asked) -> Reply:
    """The coin lives on under its new id; what asks /simple/price for the old one gets an empty shell."""
    for old_id in fault.coins:
        if reply.endpoint == "simple" and old_id in asked.query["ids"].split(","):
            reply.payload[old_id] = {}
    return reply


def _delisted(fault: Fault, reply: Reply, asked: Asked) -> Reply:
    if reply.endpoint == "chart":
        return refuse(404, "coin not found").reply if _meant(fault, _chart_coin(asked)) else reply
    return _left_out(fault, reply, asked)
