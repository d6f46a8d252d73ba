"""Parses the bodies of successful replies into prices, and checks every value.

This module does no I/O. An invalid row does not spoil the others: rows without a valid price, event time or id are
left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from core.errors import BadReply
from core.price_rules import EARLIEST_MS, is_price
from core.price_store import FUTURE_TOLERANCE_MS, Coin, Price
from core.times import HOUR_MS, parse_iso

__all__ = ["MarketRow", "ReplyTime", "hourly_prices", "parse_chart", "parse_json", "parse_markets"]

_SAME_QUOTE_MS: Final = 1000
_MAX_TEXT_CHARS: Final = 100


@dataclass(frozen=True, slots=True)
class ReplyTime:
    """When a reply came, in UTC milliseconds: by the source's clock, which bounds event times, and by our own."""

    source_ms: int
    fetched_ms: int


@dataclass(frozen=True, slots=True)
class MarketRow:
    """One coin of /coins/markets; `price` is None if the row has no valid one."""

    coin: Coin
    price: Price | None
    sparkline: tuple[float | None, ...] = ()
    day_range: tuple[float, float] | None = None


def parse_json(body: bytes) -> Any:
    """Decode a JSON body; NaN and infinities, which are not JSON, become None.

    Raises:
        BadReply: the body is not JSON.
    """
    try:
        return json.loads(body, parse_constant=lambda _: None)
    except (ValueError, RecursionError) as error:
        raise BadReply(f"not JSON ({str(error)[:80]}); begins with {body[:40]!r}") from error


def parse_markets(value: Any, reply_time: ReplyTime) -> list[MarketRow]:
    """Parse the rows of a /coins/markets page; rows without a coin id are left out.

    Raises:
        BadReply: not a page, or a page without any coin id.
    """
    if not isinstance(value, list):
        raise BadReply(f"a page of coins was expected, not {_shown(value)}")
    rows = [row for entry in value if (row := _market_row(entry, reply_time)) is not None]
    if value and not rows:
        raise BadReply(f"no row names a coin; the first is {_shown(value[0])}")
    return rows


def parse_chart(value: Any, coin_id: str, reply_time: ReplyTime) -> list[Price]:
    """Parse the prices of a market_chart: sorted, one per event time, without the provisional last quote.

    The last quote may come twice within a second, in reverse order. Market cap and volume are joined by event time; 0
    means that CoinGecko does not know them.

    Raises:
        BadReply: not a chart.
    """
    if not isinstance(value, dict) or not isinstance(value.get("prices"), list):
        raise BadReply(f"a price chart was expected, not {_shown(value)}")
    pairs = {ts_ms: price for ts_ms, price in _pairs(value["prices"]).items() if _is_event_time(ts_ms, reply_time)}
    newest = max(pairs, default=0)
    caps, volumes = _pairs(value.get("market_caps")), _pairs(value.get("total_volumes"))
    return [
        Price(coin_id, ts_ms, price, caps.get(ts_ms), volumes.get(ts_ms), reply_time.fetched_ms)
        for ts_ms, price in sorted(pairs.items())
        if newest - ts_ms >= _SAME_QUOTE_MS
    ]


def hourly_prices(row: MarketRow) -> list[tuple[int, float]]:
    """The sparkline of a row with inferred event times: hour by hour back from the row's own.

    CoinGecko gives no times for these values. The row's event time is the latest possible time of the last value, so no
    price is dated too early, and nothing computed as of a time uses a later price.
    """
    if row.price is None:
        return []
    last = len(row.sparkline) - 1
    ended_ms = row.price.ts_ms
    return [
        (ended_ms - (last - index) * HOUR_MS, price) for index, price in enumerate(row.sparkline) if price is not None
    ]


def _market_row(entry: Any, reply_time: ReplyTime) -> MarketRow | None:
    if not isinstance(entry, dict) or not (coin_id := _text(entry.get("id"))):
        return None
    rank = entry.get("market_cap_rank")
    coin = Coin(
        id=coin_id,
        symbol=(_text(entry.get("symbol")) or coin_id).lower(),
        name=_text(entry.get("name")) or coin_id,
        rank=rank if type(rank) is int and 0 < rank < 10**6 else None,
        updated=reply_time.fetched_ms,
    )
    spark = entry.get("sparkline_in_7d")
    values = spark.get("price") if isinstance(spark, dict) else None
    low, high = _positive(entry.get("low_24h")), _positive(entry.get("high_24h"))
    return MarketRow(
        coin=coin,
        price=_market_price(coin_id, entry, reply_time),
        sparkline=tuple(map(_positive, values)) if isinstance(values, list) else (),
        day_range=(low, high) if low is not None and high is not None and low <= high else None,
    )


def _market_price(coin_id: str, entry: dict[str, Any], reply_time: ReplyTime) -> Price | None:
    price, ts_ms = _positive(entry.get("current_price")), _event_time(entry.get("last_updated"))
    if price is None or ts_ms is None or not _is_event_time(ts_ms, reply_time):
        return None
    cap, volume = _positive(entry.get("market_cap")), _positive(entry.get("total_volume"))
    return Price(coin_id, ts_ms, price, cap, volume, reply_time.fetched_ms)


def _pairs(rows: Any) -> dict[int, float]:
    """Event time → positive value of `[[ts_ms, value], …]`; the first of two rows at one time stays."""
    pairs: dict[int, float] = {}
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, list) and len(row) == 2:
            ts_ms, number = _positive(row[0]), _positive(row[1])
            if ts_ms is not None and number is not None:
                pairs.setdefault(int(ts_ms), number)
    return pairs


def _positive(value: Any) -> float | None:
    """`value` as a float if it is a number that can be a price, an amount or a time, else None."""
    if type(value) not in (int, float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if is_price(number) else None


def _event_time(value: Any) -> int | None:
    if not isinstance(value, str) or len(value) > 40 or "T" not in value:
        return None
    try:
        return parse_iso(value)
    except ValueError:
        return None


def _is_event_time(ts_ms: int, reply_time: ReplyTime) -> bool:
    return EARLIEST_MS <= ts_ms <= reply_time.source_ms + FUTURE_TOLERANCE_MS


def _text(value: Any) -> str:
    """The printable characters of a text, at most _MAX_TEXT_CHARS of them."""
    return "".join(filter(str.isprintable, value)).strip()[:_MAX_TEXT_CHARS] if isinstance(value, str) else ""


def _shown(value: Any) -> str:
    kind = type(value).__name__
    return f"{kind} with {_keys(value)}" if isinstance(value, dict) else kind


def _keys(keys: Iterable[Any]) -> str:
    return ", ".join(str(key)[:20] for key in list(keys)[:5]) or "nothing in it"
