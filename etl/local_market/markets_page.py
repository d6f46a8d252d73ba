"""/coins/markets of the local market server: a function of market, query and time."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from core.times import DAY_MS, GRID_STEP_MS, HOUR_MS
from etl.arrays import FloatArray, IntArray
from etl.features.raw_prices import STEPS_PER_DAY, floor_grid
from etl.local_market.coin_names import MarketCoin
from etl.local_market.market import CURRENCIES, Market
from etl.local_market.replies import refuse, shown_number, timestamp_text

__all__ = ["Query", "currency_factor", "in_full", "markets_page"]

Query = dict[str, str]
_SPARKLINE_HOURS: Final = 168


@dataclass(frozen=True, slots=True)
class _Quotes:
    """All rows of a market at one time, prices in US dollars."""

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
    quotes = _quotes(market, now_ms)
    rows = _cut(sorted(_chosen(market.coins, query), key=lambda row: quotes.rank[row]), query)
    page = [_entry(market, row, quotes, factor, full=full) for row in rows]
    if query.get("sparkline") == "true" and rows:
        for entry, values in zip(page, _sparklines(market, rows, now_ms), strict=True):
            entry["sparkline_in_7d"] = {"price": [float(value * factor) for value in values]}
    return page


def _quotes(market: Market, now_ms: int) -> _Quotes:
    coins = market.coins
    rows = np.arange(len(coins))
    event_ms = market.event_times(rows, np.full(len(coins), now_ms))
    price = market.prices(rows, event_ms)
    day = floor_grid(now_ms) - GRID_STEP_MS * np.arange(STEPS_PER_DAY)
    past = market.prices(np.repeat(rows, len(day)), np.tile(day, len(coins))).reshape(len(coins), len(day))
    seen = np.column_stack([past, price])
    cap = market.supply * price
    order = np.argsort(-np.nan_to_num(cap), kind="stable")
    rank = np.empty(len(coins), dtype=np.int64)
    rank[order] = np.arange(1, len(coins) + 1)
    return _Quotes(
        event_ms=event_ms,
        price=price,
        day_ago=market.prices(rows, event_ms - DAY_MS),
        high=np.fmax.reduce(seen, axis=1),
        low=np.fmin.reduce(seen, axis=1),
        volume=market.volumes(rows, event_ms),
        cap=cap,
        rank=rank,
    )


def _chosen(coins: tuple[MarketCoin, ...], query: Query) -> list[int]:
    """Rows of the coins in `ids`, or of all; unknown ids are left out."""
    if not query.get("ids"):
        return list(range(len(coins)))
    wanted = set(query["ids"].lower().split(","))
    return [row for row, coin in enumerate(coins) if coin.id in wanted]


def _cut(rows: list[int], query: Query) -> list[int]:
    per_page = min(max(_whole(query, "per_page", 100), 1), 250)
    page = max(_whole(query, "page", 1), 1)
    return rows[(page - 1) * per_page : page * per_page]


def _whole(query: Query, name: str, default: int) -> int:
    text = query.get(name, "")
    return int(text) if text.isdecimal() and len(text) < 10 else default


def _sparklines(market: Market, rows: list[int], now_ms: int) -> list[FloatArray]:
    """Prices at the last 168 full hours, the newest last, without those before the first price."""
    hours = now_ms // HOUR_MS * HOUR_MS - HOUR_MS * np.arange(_SPARKLINE_HOURS - 1, -1, -1)
    chosen = np.array(rows)
    values = market.prices(np.repeat(chosen, len(hours)), np.tile(hours, len(rows))).reshape(len(rows), -1)
    return [row[np.isfinite(row)] for row in values]


def _entry(market: Market, row: int, quotes: _Quotes, factor: float, *, full: bool) -> dict[str, Any]:
    """One coin in the fields of CoinGecko's specification, with nulls as in live answers."""
    coin = market.coins[row]
    price, before, cap = quotes.price[row], quotes.day_ago[row], quotes.cap[row]
    supply = float(market.supply[row])
    cap_before = supply * before
    all_time_high, all_time_low = max(coin.price_usd * 4.5, quotes.high[row]), min(coin.price_usd / 30, quotes.low[row])
    return {
        "id": coin.id,
        "symbol": coin.symbol,
        "name": coin.name,
        "image": f"https://coin-images.coingecko.com/coins/images/{coin.rank}/large/{coin.id}.png",
        "current_price": shown_number(price * factor, full=full),
        "market_cap": shown_number(cap * factor),
        "market_cap_rank": int(quotes.rank[row]) if np.isfinite(price) else None,
        "fully_diluted_valuation": None if _trait(coin, "fdv") < 0.04 else shown_number(cap * 1.05 * factor),
        "total_volume": shown_number(quotes.volume[row] * factor),
        "high_24h": shown_number(quotes.high[row] * factor, full=full),
        "low_24h": shown_number(quotes.low[row] * factor, full=full),
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
        "last_updated": timestamp_text(int(quotes.event_ms[row])) if np.isfinite(price) else None,
    }


def _percent(now: float, before: float) -> float | int | None:
    return shown_number(round(float((now / before - 1) * 100), 5), full=True)


def _trait(coin: MarketCoin, purpose: str) -> float:
    """A fixed number in [0, 1) of the coin."""
    digest = hashlib.blake2b(f"{coin.id}/{purpose}".encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") / 2**32
