"""/coins/markets of the local market server: a function of market, query and time."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from core.times import DAY_MS, GRID_STEP_MS, HOUR_MS
from etl.arrays import BoolArray, FloatArray, IntArray
from etl.features.raw_prices import STEPS_PER_DAY, floor_grid
from etl.local_market.coin_names import MarketCoin
from etl.local_market.market import CURRENCIES, Market
from etl.local_market.replies import refuse, shown_number, timestamp_text

__all__ = ["Query", "currency_factor", "in_full", "markets_page"]

Query = dict[str, str]
_SPARKLINE_HOURS: Final = 168


@dataclass(frozen=True, slots=True)
class _Quotes:
    """Some rows of a market at one time, prices in US dollars; `rank` is that among all rows."""

    event_ms: IntArray
    price: FloatArray
    day_ago: FloatArray
    high: FloatArray
    low: FloatArray
    volume: FloatArray
    cap: FloatArray
    rank: IntArray


def currency_factor(query: Query) -> float:
    """Units of the requested currency per US dollar.

    Raises:
        RefusedRequest: no currency, or one that CoinGecko does not know.
    """
    if not query.get("vs_currency"):
        raise refuse(422, "Missing parameter vs_currency")
    factor = CURRENCIES.get(query["vs_currency"].lower())
    if factor is None:
        raise refuse(400, "invalid vs_currency")
    return factor


def in_full(query: Query) -> bool:
    """Whether the query asks for all digits (`precision=full`); without it CoinGecko rounds by size.

    Raises:
        RefusedRequest: another precision.
    """
    precision = query.get("precision")
    if precision not in (None, "", "full"):
        raise refuse(400, "invalid precision")
    return precision == "full"


def markets_page(market: Market, query: Query, now_ms: int) -> list[dict[str, Any]]:
    """One page of coins by market cap, with price, cap, volume and changes; `[]` past the end.

    Raises:
        RefusedRequest: unknown currency or precision.
    """
    factor, full = currency_factor(query), in_full(query)
    cap = _market_caps(market, now_ms)
    by_rank = np.argsort(-np.nan_to_num(cap), kind="stable")
    rank = np.empty(len(cap), dtype=np.int64)
    rank[by_rank] = np.arange(1, len(cap) + 1)
    rows = _cut(by_rank[_is_chosen(market.coins, query)[by_rank]], query)
    if not len(rows):
        return []
    quotes = _quotes(market, rows, now_ms, rank[rows])
    page = [_entry(market, int(row), quotes, place, factor, full=full) for place, row in enumerate(rows)]
    if query.get("sparkline") == "true":
        for entry, values in zip(page, _sparklines(market, rows, now_ms), strict=True):
            entry["sparkline_in_7d"] = {"price": [float(value * factor) for value in values]}
    return page


def _market_caps(market: Market, now_ms: int) -> FloatArray:
    """Market cap of every row in US dollars."""
    rows = np.arange(len(market.coins))
    return market.supply * market.prices(rows, market.event_times(rows, np.full(len(rows), now_ms)))


def _quotes(market: Market, rows: IntArray, now_ms: int, rank: IntArray) -> _Quotes:
    event_ms = market.event_times(rows, np.full(len(rows), now_ms))
    price = market.prices(rows, event_ms)
    day = floor_grid(now_ms) - GRID_STEP_MS * np.arange(STEPS_PER_DAY)
    past = market.prices(np.repeat(rows, len(day)), np.tile(day, len(rows))).reshape(len(rows), len(day))
    seen = np.column_stack([past, price])
    return _Quotes(
        event_ms=event_ms,
        price=price,
        day_ago=market.prices(rows, event_ms - DAY_MS),
        high=np.fmax.reduce(seen, axis=1),
        low=np.fmin.reduce(seen, axis=1),
        volume=market.volumes(rows, event_ms),
        cap=market.supply[rows] * price,
        rank=rank,
    )


def _is_chosen(coins: tuple[MarketCoin, ...], query: Query) -> BoolArray:
    """Which rows belong to the coins in `ids`, or all; unknown ids are left out."""
    if not query.get("ids"):
        return np.ones(len(coins), dtype=bool)
    wanted = set(query["ids"].lower().split(","))
    return np.array([coin.id in wanted for coin in coins], dtype=bool)


def _cut(rows: IntArray, query: Query) -> IntArray:
    per_page = min(max(_whole(query, "per_page", 100), 1), 250)
    page = max(_whole(query, "page", 1), 1)
    return rows[(page - 1) * per_page : page * per_page]


def _whole(query: Query, name: str, default: int) -> int:
    text = query.get(name, "")
    return int(text) if text.isdecimal() and len(text) < 10 else default


def _sparklines(market: Market, rows: IntArray, now_ms: int) -> list[FloatArray]:
    """Prices at the last 168 full hours, the newest last, without those before the first price."""
    hours = now_ms // HOUR_MS * HOUR_MS - HOUR_MS * np.arange(_SPARKLINE_HOURS - 1, -1, -1)
    values = market.prices(np.repeat(rows, len(hours)), np.tile(hours, len(rows))).reshape(len(rows), -1)
    return [row[np.isfinite(row)] for row in values]


def _entry(market: Market, row: int, quotes: _Quotes, place: int, factor: float, *, full: bool) -> dict[str, Any]:
    """The coin of a row in the fields of CoinGecko's specification, with nulls as in live answers."""
    coin = market.coins[row]
    price, before, cap = quotes.price[place], quotes.day_ago[place], quotes.cap[place]
    supply = float(market.supply[row])
    cap_before = supply * before
    all_time_high, all_time_low = (
        max(coin.price_usd * 4.5, quotes.high[place]),
        min(coin.price_usd / 30, quotes.low[place]),
    )
    return {
        "id": coin.id,
        "symbol": coin.symbol,
        "name": coin.name,
        "image": f"https://coin-images.coingecko.com/coins/images/{coin.rank}/large/{coin.id}.png",
        "current_price": shown_number(price * factor, full=full),
        "market_cap": shown_number(cap * factor),
        "market_cap_rank": int(quotes.rank[place]) if np.isfinite(price) else None,
        "fully_diluted_valuation": None if _trait(coin, "fdv") < 0.04 else shown_number(cap * 1.05 * factor),
        "total_volume": shown_number(quotes.volume[place] * factor),
        "high_24h": shown_number(quotes.high[place] * factor, full=full),
        "low_24h": shown_number(quotes.low[place] * factor, full=full),
        "price_change_24h": shown_number((price - before) * factor, full=True),
        "price_change_percentage_24h": _percent(price, before),
        "market_cap_change_24h": shown_number((cap - cap_before) * factor),
        "market_cap_change_percentage_24h": _percent(cap, cap_before),
        "circulating_supply": supply,
        "total_supply": None if _trait(coin, "total") < 0.036 else supply * 1.05,
        "max_supply": None if _trait(coin, "max") < 0.41 else supply * 1.1,
        "ath": shown_number(all_time_high * factor, full=full),
        "ath_change_percentage": _percent(price, all_time_high),
        "ath_date": "2021-11-10T14:24:11.849Z",
        "atl": shown_number(all_time_low * factor, full=full),
        "atl_change_percentage": _percent(price, all_time_low),
        "atl_date": "2015-01-14T00:00:00.000Z",
        "roi": None if _trait(coin, "roi") < 0.8 else {"times": 12.5, "currency": "usd", "percentage": 1250.0},
        "last_updated": timestamp_text(int(quotes.event_ms[place])) if np.isfinite(price) else None,
    }


def _percent(now: float, before: float) -> float | int | None:
    return shown_number(round(float((now / before - 1) * 100), 5), full=True)


def _trait(coin: MarketCoin, purpose: str) -> float:
    """A fixed number in [0, 1) of the coin."""
    digest = hashlib.blake2b(f"{coin.id}/{purpose}".encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") / 2**32
