"""/coins/list, /coins/markets and /simple/price of the local market server: functions of market, query and time."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from core.times import DAY_MS, GRID_STEP_MS, HOUR_MS
from etl.arrays import FloatArray, IntArray
from etl.features.raw_prices import STEPS_PER_DAY, floor_grid
from etl.local_market.coin_names import Coin
from etl.local_market.market import CURRENCIES, Market
from etl.local_market.replies import moment, number, refuse

__all__ = ["Query", "Shifts", "coins_list", "currency_factor", "markets", "precision_of", "simple_price"]

Query = dict[str, str]
Shifts = dict[str, int]
"""Coin id → milliseconds by which its quotes lag behind; the whole market where a coin is not named."""

_SPARKLINE_HOURS: Final = 168
_MOST_IDS: Final = 515
_WINDOWS: Final = {
    "1h": HOUR_MS,
    "24h": DAY_MS,
    "7d": 7 * DAY_MS,
    "14d": 14 * DAY_MS,
    "30d": 30 * DAY_MS,
    "200d": 200 * DAY_MS,
    "1y": 365 * DAY_MS,
}


@dataclass(frozen=True, slots=True)
class _Quotes:
    """All rows of a market at one moment, prices in US dollars."""

    event_ms: IntArray
    price: FloatArray
    day_ago: FloatArray
    high: FloatArray
    low: FloatArray
    volume: FloatArray
    cap: FloatArray
    rank: IntArray


def currency_factor(query: Query, name: str = "vs_currency") -> float:
    """Units of the currency asked for per US dollar; refuses what CoinGecko refuses."""
    if not query.get(name):
        raise refuse(422, f"Missing parameter {name}")
    factor = CURRENCIES.get(query[name].lower())
    if factor is None:
        raise refuse(400, "invalid vs_currency")
    return factor


def precision_of(query: Query) -> str | None:
    """`full`, a number of digits, or None for CoinGecko's own rounding."""
    precision = query.get("precision") or None
    if precision is None or precision == "full" or (precision.isdecimal() and int(precision) <= 18):
        return precision
    raise refuse(400, "invalid precision")


def coins_list(market: Market, query: Query) -> list[dict[str, Any]]:
    """Every coin: id, symbol, name, and `platforms` on request."""
    platforms: dict[str, Any] = {"platforms": {}} if query.get("include_platform") == "true" else {}
    return [
        {"id": coin.id, "symbol": coin.symbol, "name": coin.name, **platforms}
        for coin in sorted(market.coins, key=lambda coin: coin.id)
    ]


def markets(market: Market, query: Query, now_ms: int, shifts: Shifts) -> list[dict[str, Any]]:
    """One page of coins with price, market cap, volume and change; `[]` past the end."""
    factor, precision = currency_factor(query), precision_of(query)
    quotes = _quotes(market, now_ms, shifts)
    rows = _page(_ordered(_chosen(market.coins, query), quotes, market.coins, query.get("order")), query)
    page = [_entry(market, row, quotes, factor, precision) for row in rows]
    if query.get("sparkline") == "true" and rows:
        for entry, values in zip(page, _sparklines(market, rows, now_ms), strict=True):
            entry["sparkline_in_7d"] = {"price": [float(value * factor) for value in values]}
    for window in query.get("price_change_percentage", "").split(","):
        if window in _WINDOWS:
            for entry, row in zip(page, rows, strict=True):
                change = _change(market, row, quotes, _WINDOWS[window])
                entry[f"price_change_percentage_{window}_in_currency"] = number(change, "full")
    return page


def simple_price(market: Market, query: Query, now_ms: int, shifts: Shifts) -> dict[str, Any]:
    """Prices by id; ids and currencies that are not known are silently left out."""
    for name in ("ids", "vs_currencies"):
        if not query.get(name):
            raise refuse(422, f"Missing parameter {name}")
    ids = query["ids"].split(",")
    if len(ids) > _MOST_IDS:
        raise refuse(400, f"too many ids (at most {_MOST_IDS})")
    currencies = [name for name in query["vs_currencies"].lower().split(",") if name in CURRENCIES]
    precision = precision_of(query)
    quotes = _quotes(market, now_ms, shifts)
    rows = {coin.id: row for row, coin in enumerate(market.coins)}
    return {
        coin_id: _simple_entry(rows[coin_id], quotes, currencies, query, precision)
        for coin_id in ids
        if coin_id in rows
    }


def _simple_entry(
    row: int, quotes: _Quotes, currencies: list[str], query: Query, precision: str | None
) -> dict[str, Any]:
    entry: dict[str, Any] = {}
    for currency in currencies:
        factor = CURRENCIES[currency]
        entry[currency] = number(quotes.price[row] * factor, precision)
        if query.get("include_market_cap") == "true":
            entry[f"{currency}_market_cap"] = number(quotes.cap[row] * factor, "full")
        if query.get("include_24hr_vol") == "true":
            entry[f"{currency}_24h_vol"] = number(quotes.volume[row] * factor, "full")
        if query.get("include_24hr_change") == "true":
            entry[f"{currency}_24h_change"] = number(_percent(quotes.price[row], quotes.day_ago[row]), "full")
    if currencies and query.get("include_last_updated_at") == "true":
        entry["last_updated_at"] = int(quotes.event_ms[row]) // 1000
    return entry


def _quotes(market: Market, now_ms: int, shifts: Shifts) -> _Quotes:
    coins = market.coins
    rows = np.arange(len(coins))
    now = now_ms - np.array([shifts.get(coin.id, 0) for coin in coins], dtype=np.int64)
    event_ms = market.event_times(rows, now)
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


def _chosen(coins: tuple[Coin, ...], query: Query) -> list[int]:
    """Rows that `ids`, else `names`, else `symbols` name; all of them where nothing is named."""
    for parameter, attribute in (("ids", "id"), ("names", "name"), ("symbols", "symbol")):
        if query.get(parameter):
            wanted = set(query[parameter].lower().split(","))
            return [row for row, coin in enumerate(coins) if getattr(coin, attribute).lower() in wanted]
    return list(range(len(coins)))


def _ordered(rows: list[int], quotes: _Quotes, coins: tuple[Coin, ...], order: str | None) -> list[int]:
    name, _, direction = (order or "market_cap_desc").rpartition("_")
    if name == "id":
        return sorted(rows, key=lambda row: coins[row].id, reverse=direction == "desc")
    key = quotes.volume if name == "volume" else -quotes.rank.astype(np.float64)
    return sorted(rows, key=lambda row: key[row], reverse=direction != "asc")


def _page(rows: list[int], query: Query) -> list[int]:
    per_page = min(max(_whole(query, "per_page", 100), 1), 250)
    page = max(_whole(query, "page", 1), 1)
    return rows[(page - 1) * per_page : page * per_page]


def _whole(query: Query, name: str, default: int) -> int:
    text = query.get(name, "")
    return int(text) if text.isdecimal() and len(text) < 10 else default


def _sparklines(market: Market, rows: list[int], now_ms: int) -> list[FloatArray]:
    """Prices at the last 168 whole hours, the newest last; those before the first price are left out."""
    hours = now_ms // HOUR_MS * HOUR_MS - HOUR_MS * np.arange(_SPARKLINE_HOURS - 1, -1, -1)
    chosen = np.array(rows)
    values = market.prices(np.repeat(chosen, len(hours)), np.tile(hours, len(rows))).reshape(len(rows), -1)
    return [row[np.isfinite(row)] for row in values]


def _change(market: Market, row: int, quotes: _Quotes, window_ms: int) -> float:
    """Change over the window in percent; NaN where the coin is younger."""
    then = int(quotes.event_ms[row]) - window_ms
    if then < market.history_start_ms(row, int(quotes.event_ms[row])):
        return math.nan
    return _percent(quotes.price[row], float(market.prices(np.array([row]), np.array([then]))[0]))


def _entry(market: Market, row: int, quotes: _Quotes, factor: float, precision: str | None) -> dict[str, Any]:
    """One coin in the fields of CoinGecko's specification, with nulls where live answers have them."""
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
        "current_price": number(price * factor, precision),
        "market_cap": number(cap * factor),
        "market_cap_rank": int(quotes.rank[row]) if np.isfinite(price) else None,
        "fully_diluted_valuation": None if _trait(coin, "fdv") < 0.04 else number(cap * 1.05 * factor),
        "total_volume": number(quotes.volume[row] * factor),
        "high_24h": number(quotes.high[row] * factor, precision),
        "low_24h": number(quotes.low[row] * factor, precision),
        "price_change_24h": number((price - before) * factor, "full"),
        "price_change_percentage_24h": number(_percent(price, before), "5"),
        "market_cap_change_24h": number((cap - cap_before) * factor),
        "market_cap_change_percentage_24h": number(_percent(cap, cap_before), "5"),
        "circulating_supply": supply,
        "total_supply": None if _trait(coin, "total") < 0.036 else supply * 1.05,
        "max_supply": None if _trait(coin, "max") < 0.41 else supply * 1.1,
        "ath": number(all_time_high * factor, precision),
        "ath_change_percentage": number(_percent(price, all_time_high), "5"),
        "ath_date": "2021-11-10T14:24:11.849Z",
        "atl": number(all_time_low * factor, precision),
        "atl_change_percentage": number(_percent(price, all_time_low), "5"),
        "atl_date": "2015-01-14T00:00:00.000Z",
        "roi": None if _trait(coin, "roi") < 0.8 else {"times": 12.5, "currency": "usd", "percentage": 1250.0},
        "last_updated": moment(int(quotes.event_ms[row])) if np.isfinite(price) else None,
    }


def _percent(now: float, before: float) -> float:
    return float((now / before - 1) * 100)


def _trait(coin: Coin, purpose: str) -> float:
    """A number in [0, 1) that belongs to the coin."""
    digest = hashlib.blake2b(f"{coin.id}/{purpose}".encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") / 2**32
