"""Bodies are checked row by row, and only valid prices are kept."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import BadReply
from core.price_store import Price
from core.times import HOUR_MS, parse_iso
from etl.coingecko.parsing import ReplyTime, hourly_prices, parse_chart, parse_json, parse_markets

NOW_MS = parse_iso("2026-09-16T09:14:30Z")
MOMENT = ReplyTime(NOW_MS, NOW_MS + 5)
ROW = {
    "id": "bitcoin",
    "symbol": "BTC",
    "name": "Bitcoin",
    "current_price": 67187.3358,
    "market_cap": 1317802988326.25,
    "market_cap_rank": 1,
    "total_volume": 31260929299,
    "high_24h": 68000,
    "low_24h": 66000.5,
    "last_updated": "2026-09-16T09:14:20.000Z",
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=12), inner, max_size=5),
    max_leaves=30,
)


def test_a_row_becomes_a_coin_and_a_price_at_its_event_time() -> None:
    """The event time is last_updated, beside it the moment of fetching; the symbol is lower case."""
    (row,) = parse_markets([ROW], MOMENT)
    ts_ms = parse_iso("2026-09-16T09:14:20Z")
    assert row.price == Price("bitcoin", ts_ms, 67187.3358, 1317802988326.25, 31260929299.0, NOW_MS + 5)
    assert (row.coin.id, row.coin.symbol, row.coin.name, row.coin.rank) == ("bitcoin", "btc", "Bitcoin", 1)
    assert row.day_range == (66000.5, 68000.0)


@pytest.mark.parametrize("price", [None, 0, -1, 0.0, "67187", True, {}, [], 1e301, 10**400])
def test_a_row_without_a_valid_price_does_not_spoil_the_others(price: object) -> None:
    """Null, zero, negative, text, renamed coins' empty objects and absurd numbers are no prices."""
    rows = parse_markets([{**ROW, "current_price": price}, {**ROW, "id": "ethereum"}], MOMENT)
    assert [row.price is None for row in rows] == [True, False]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_nan_and_infinity_are_not_prices(number: str) -> None:
    """NaN and infinities void their row and no other."""
    body = json.dumps([ROW, {**ROW, "id": "ethereum"}]).replace("67187.3358", number, 1).encode()
    rows = parse_markets(parse_json(body), MOMENT)
    assert [row.price is None for row in rows] == [True, False]


@pytest.mark.parametrize(
    "last_updated",
    [
        None,
        "",
        "yesterday",
        "2026-09-16",
        1789550060,
        "1970-01-01T00:00:00Z",
        "2026-09-16T09:16:31Z",
        "9999-99-99T00:00Z",
        "2026-09-16T09:14:20" + "0" * 60,
    ],
)
def test_a_price_without_a_valid_event_time_is_left_out(last_updated: object) -> None:
    """No time, an invalid one, one before the first coin, or more than two minutes ahead."""
    (row,) = parse_markets([{**ROW, "last_updated": last_updated}], MOMENT)
    assert row.price is None


def test_two_minutes_ahead_are_counted_by_the_sources_clock() -> None:
    """A machine whose clock is an hour behind still accepts current prices."""
    (row,) = parse_markets([ROW], ReplyTime(NOW_MS, NOW_MS - HOUR_MS))
    assert row.price is not None
    assert row.price.fetched_ms == NOW_MS - HOUR_MS


def test_a_market_cap_of_zero_means_unknown() -> None:
    """CoinGecko writes 0 for an unknown value."""
    (row,) = parse_markets([{**ROW, "market_cap": 0, "total_volume": None}], MOMENT)
    assert row.price is not None
    assert (row.price.market_cap, row.price.volume) == (None, None)


def test_the_sparkline_is_dated_back_hour_by_hour() -> None:
    """The last hourly price has the row's own event time; nulls leave holes and shift nothing."""
    (row,) = parse_markets([{**ROW, "sparkline_in_7d": {"price": [1.0, None, 3, 0, 5.5]}}], MOMENT)
    ts_ms = parse_iso("2026-09-16T09:14:20Z")
    assert hourly_prices(row) == [(ts_ms - 4 * HOUR_MS, 1.0), (ts_ms - 2 * HOUR_MS, 3.0), (ts_ms, 5.5)]


@pytest.mark.parametrize("value", [None, {}, {"error": "x"}, "text", 5, [1, 2], [{}], [{"id": 5}], [None]])
def test_a_value_that_is_not_a_page_is_rejected(value: object) -> None:
    """Objects, texts, and lists without any coin id are rejected."""
    with pytest.raises(BadReply):
        parse_markets(value, MOMENT)


def test_an_empty_page_is_a_page() -> None:
    """The page after the last coin is empty."""
    assert parse_markets([], MOMENT) == []


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"{", b"\xff\xfe\x00", b"[" * 100_000, b"1" * 5000, b"Throttled", b'"\xe9"']
)
def test_a_body_that_is_not_json_is_rejected(body: bytes) -> None:
    """HTML, cut bodies, other encodings, endless nesting and endless digits are one BadReply."""
    with pytest.raises(BadReply):
        parse_json(body)


def chart(prices: list[Any], **other: Any) -> dict[str, Any]:
    """A market_chart body."""
    return {"prices": prices, "market_caps": [], "total_volumes": [], **other}


def test_a_chart_is_sorted_joined_and_left_without_its_provisional_end() -> None:
    """Unordered rows come in order, caps and volumes join by event time, the newest quote stays out."""
    t = NOW_MS - HOUR_MS
    body = chart(
        [[t + 600_000, 3.0], [t, 1.0], [t + 300_000, 2.0]],
        market_caps=[[t, 10.0], [t + 300_000, 0], [t + 1, 99.0]],
        total_volumes=[[t + 300_000, 7.0], [t, None]],
    )
    fetched = MOMENT.fetched_ms
    assert parse_chart(body, "bitcoin", MOMENT) == [
        Price("bitcoin", t, 1.0, 10.0, None, fetched),
        Price("bitcoin", t + 300_000, 2.0, None, 7.0, fetched),
    ]


def test_a_last_quote_that_comes_twice_is_left_out_twice() -> None:
    """At the tail "now" may come twice, the later row earlier in time; neither is stored."""
    body = chart([[1621089000000, 1.0], [1621089594955, 2.0], [1621089594000, 2.0]])
    assert [price.ts_ms for price in parse_chart(body, "bitcoin", MOMENT)] == [1621089000000]


def test_invalid_rows_of_a_chart_do_not_spoil_the_others() -> None:
    """Nulls, texts, wrong lengths, the future and the distant past are left out."""
    t = NOW_MS - HOUR_MS
    rows = [[t, 1.0], None, [], [t], [t + 1, None], [t + 2, "2"], ["x", 2.0], [t + 3, 0], [t + 4, 2.0, 3.0]]
    body = chart([*rows, [NOW_MS, 1.5], [-5, 2.0], [1, 2.0], [10**20, 2.0], [NOW_MS + HOUR_MS, 2.0], [t, 9.0]])
    assert [(price.ts_ms, price.price) for price in parse_chart(body, "bitcoin", MOMENT)] == [(t, 1.0)]


@pytest.mark.parametrize("value", [None, [], {}, {"prices": None}, {"error": "coin not found"}, "text"])
def test_a_value_that_is_not_a_chart_is_rejected(value: object) -> None:
    """A chart has a list of prices."""
    with pytest.raises(BadReply):
        parse_chart(value, "bitcoin", MOMENT)


def test_a_coin_without_trades_has_an_empty_chart() -> None:
    """Empty arrays are an answer."""
    assert parse_chart(chart([]), "bitcoin", MOMENT) == []


@given(JSON, st.lists(st.lists(JSON, max_size=3), max_size=10))
def test_any_json_gives_valid_prices_or_a_bad_reply(value: object, rows: list[list[object]]) -> None:
    """Any JSON is a BadReply or gives prices that the store accepts."""
    bodies: list[Any] = [value, [value], [{**ROW, "current_price": value, "last_updated": value}]]
    prices: list[Price] = []
    for body in bodies:
        try:
            prices += [row.price for row in parse_markets(body, MOMENT) if row.price is not None]
        except BadReply:
            continue
    prices += parse_chart(chart(rows, market_caps=value), "bitcoin", MOMENT)
    for price in prices:
        assert math.isfinite(price.price)
        assert price.price > 0
        assert price.ts_ms <= NOW_MS + 120_000
