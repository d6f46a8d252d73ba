"""/coins/{id}/market_chart: history in CoinGecko's granularities, with its irregularities."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from core.times import DAY_MS, HOUR_MS, MINUTE_MS
from etl.arrays import FloatArray, IntArray
from etl.local_market.market import Market
from etl.local_market.markets_page import Query, currency_factor, in_full
from etl.local_market.noise import normals, stream_keys, uniforms
from etl.local_market.replies import refuse, refuse_range, shown_number

__all__ = ["market_chart"]

_JITTER: Final = {5 * MINUTE_MS: 25_000, HOUR_MS: 60_000, DAY_MS: 0}
_PUBLIC_DAYS: Final = 365
_SECOND_MS: Final = 1000


def market_chart(market: Market, coin_id: str, query: Query, now_ms: int, *, paid: bool) -> dict[str, Any]:
    """`prices`, `market_caps` and `total_volumes` of the last `days`; the last row is the newest quote.

    Raises:
        RefusedRequest: unknown coin, currency, precision or days, or more days than the plan has.
    """
    row = _row(market, coin_id)
    factor, _ = currency_factor(query), in_full(query)
    days = _days(query, now_ms, paid=paid)
    step = 5 * MINUTE_MS if days <= 1 else HOUR_MS if days <= 90 else DAY_MS
    start_ms = max(now_ms - int(min(days, 36_500) * DAY_MS), market.history_start_ms(row, now_ms))
    times = _sample_times(market, row, start_ms, now_ms, step)
    times = np.append(times, _tail(market, row, now_ms))
    return _columns(market, row, times, factor)


def _row(market: Market, coin_id: str) -> int:
    for row, coin in enumerate(market.coins):
        if coin.id == coin_id:
            return row
    raise refuse(404, "coin not found")


def _days(query: Query, now_ms: int, *, paid: bool) -> float:
    text = query.get("days", "")
    if not text:
        raise refuse(422, "Missing parameter days")
    days = math.inf if text == "max" else float(text) if text.replace(".", "", 1).isdecimal() else 0.0
    if days <= 0:
        raise refuse(400, "invalid days")
    if days > _PUBLIC_DAYS and not paid:
        raise refuse_range(now_ms)
    return days


def _sample_times(market: Market, row: int, start_ms: int, end_ms: int, step: int) -> IntArray:
    """Times of the rows: every `step` with a fixed jitter, daily rows without."""
    index = np.arange(-(-start_ms // step), end_ms // step + 1)
    keys = stream_keys(0, [market.coins[row].id], f"sample/{step}")
    jitter = np.clip(normals(keys, index), -3.5, 3.5) * _JITTER[step]
    times = index * step + jitter.astype(np.int64)
    return np.asarray(times[(times >= start_ms) & (times <= end_ms)])


def _tail(market: Market, row: int, now_ms: int) -> IntArray:
    """Time of the newest quote; in a quarter of the minutes it comes twice, in reverse order of time."""
    event = market.event_times(np.array([row]), np.array([now_ms]))
    keys = stream_keys(0, [market.coins[row].id], "tail")
    twice = uniforms(keys, np.array([now_ms // MINUTE_MS]))[0] < 0.25
    ahead = min(955, now_ms - int(event[0]))
    return np.asarray(np.concatenate([event + ahead, event]) if twice and ahead > 0 else event)


def _columns(market: Market, row: int, times: IntArray, factor: float) -> dict[str, Any]:
    """The three arrays. A row has its sample time if its price is of the same second, else the event time."""
    rows = np.full(len(times), row)
    events = market.event_times(rows, times)
    shown = np.where(times // _SECOND_MS * _SECOND_MS == events, times, events)
    prices = market.prices(rows, events)
    keep = np.isfinite(prices) & np.append(shown[1:] != shown[:-1], np.ones(min(len(shown), 1), dtype=bool))
    shown, prices, rows = shown[keep], prices[keep], rows[keep]
    return {
        "prices": _pairs(shown, prices * factor),
        "market_caps": _pairs(shown, prices * market.supply[row] * factor),
        "total_volumes": _pairs(shown, market.volumes(rows, shown) * factor),
    }


def _pairs(times: IntArray, values: FloatArray) -> list[list[float | int | None]]:
    """`[[ts_ms, value], …]` in full: charts are not rounded by size."""
    return [[int(ts_ms), shown_number(value, full=True)] for ts_ms, value in zip(times, values, strict=True)]
