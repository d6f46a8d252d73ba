"""A client for the three CoinGecko calls of the collector; each call returns a reply or raises a typed error.

It never retries, waits or caches: the collector shares one budget among all calls.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import quote, urlencode, urlsplit

from core.coingecko import PRO_URL, PUBLIC_URL, user_agent
from core.errors import BadReply, ConfigurationError
from core.price_store import Price
from core.settings import Plan, Settings
from core.times import DAY_MS, now_ms
from core.wording import message
from etl.coingecko.error_replies import refusal, server_time_ms
from etl.coingecko.parsing import MarketRow, ReplyTime, parse_chart, parse_json, parse_markets
from etl.coingecko.transport import RawReply, Transport

__all__ = ["PER_PAGE", "Chart", "CoinGecko", "MarketsPage", "base_url"]

PER_PAGE: Final = 250
_KEY_HEADERS: Final = {Plan.DEMO_KEY: "x-cg-demo-api-key", Plan.PRO_KEY: "x-cg-pro-api-key"}

_log = logging.getLogger(__name__)


class MarketsPage(NamedTuple):
    """Rows of /coins/markets and when they came; `whole` if the page has the maximum number of rows."""

    rows: list[MarketRow]
    reply_time: ReplyTime
    whole: bool


class Chart(NamedTuple):
    """Prices of one coin's market_chart and when they came."""

    prices: list[Price]
    reply_time: ReplyTime


class CoinGecko:
    """The API of the plan in `settings`; every call may raise SourceError, CredentialProblem, ConfigurationError."""

    def __init__(self, settings: Settings, wall_ms: Callable[[], int] = now_ms) -> None:
        headers = {"User-Agent": user_agent(settings.contact)}
        key = settings.source_key
        if key is not None and settings.coingecko_plan in _KEY_HEADERS:
            headers[_KEY_HEADERS[settings.coingecko_plan]] = key
        self._wall_ms = wall_ms
        self._currency = settings.currency
        self._transport = Transport(base_url(settings), headers)

    def markets(self, ids: Sequence[str], *, sparkline: bool = False) -> MarketsPage:
        """Fetch at most 250 coins; with `sparkline` also 7 days of hourly prices. Unknown ids are absent."""
        return self._page({"ids": ",".join(ids), "page": 1, "sparkline": str(sparkline).lower()})

    def largest(self, page: int) -> MarketsPage:
        """Fetch page `page` (from 1) of all coins, by market cap."""
        return self._page({"page": page, "sparkline": "false"})

    def market_chart(self, coin_id: str) -> Chart:
        """Fetch the last 24 hours of one coin in 5-minute steps."""
        query = {"vs_currency": self._currency, "days": 1, "precision": "full"}
        value, reply_time = self._get(f"/coins/{quote(coin_id, safe='')}/market_chart", query)
        return Chart(parse_chart(value, coin_id, reply_time), reply_time)

    def abort(self) -> None:
        """Cut the call in progress, from any thread; later calls fail at once."""
        self._transport.abort()

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def _page(self, choice: dict[str, Any]) -> MarketsPage:
        query = {
            "vs_currency": self._currency,
            "order": "market_cap_desc",
            "per_page": PER_PAGE,
            "precision": "full",
            "locale": "en",
            **choice,
        }
        value, reply_time = self._get("/coins/markets", query)
        return MarketsPage(parse_markets(value, reply_time), reply_time, whole=len(value) >= PER_PAGE)

    def _get(self, path: str, query: dict[str, Any]) -> tuple[Any, ReplyTime]:
        reply = self._transport.get(f"{path}?{urlencode(query, safe=',')}")
        wall_ms = self._wall_ms()
        _note(path, reply)
        if reply.status != 200:
            raise refusal(reply.status, reply.headers, reply.body, wall_ms)
        _check_content_type(reply)
        return parse_json(reply.body), ReplyTime(_source_time_ms(reply, wall_ms), wall_ms)


def base_url(settings: Settings) -> str:
    """The address of the API, with /api/v3.

    Raises:
        ConfigurationError: CRYPTO_COINGECKO_URL is not an address.
    """
    url = settings.coingecko_url or (PRO_URL if settings.coingecko_plan is Plan.PRO_KEY else PUBLIC_URL)
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable or parts.query or parts.fragment or parts.username is not None:
        raise ConfigurationError(message("source.bad_url", url=url[:80]))
    return url


def _source_time_ms(reply: RawReply, wall_ms: int) -> int:
    """Time of the source's clock, or ours if the two are more than a day apart."""
    time_ms = server_time_ms(reply.headers)
    return wall_ms if time_ms is None or abs(time_ms - wall_ms) > DAY_MS else time_ms


def _check_content_type(reply: RawReply) -> None:
    kind = reply.headers.get("Content-Type", "").split(";")[0].strip().lower()
    if kind and kind != "application/json" and not kind.endswith("+json"):
        raise BadReply(f"JSON was expected, not {kind[:60]}; begins with {reply.body[:40]!r}")


def _note(path: str, reply: RawReply) -> None:
    """Log one debug line per call, with the headers that tell the age and the origin of the reply."""
    facts = {name: reply.headers.get(name) for name in ("age", "cf-cache-status", "x-request-id", "cf-ray")}
    said = " ".join(f"{name}={value}" for name, value in facts.items() if value)
    _log.debug("GET %s: %d, %d bytes %s", path, reply.status, len(reply.body), said)
