"""The local market server's answers have CoinGecko's shapes, and their numbers are the market's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
import requests

from etl.local_market.coin_names import coins_wanted
from etl.local_market.market import CURRENCIES, price_at
from etl.local_market.replies import shown_number
from etl.local_market.server import MarketServer
from etl.local_market.simulated import SimulatedMarket

NOW_MS = 1_790_000_123_456
DAY_MS = 86_400_000
FIELDS = {
    "id": str,
    "symbol": str,
    "name": str,
    "image": str,
    "current_price": float,
    "market_cap": float,
    "market_cap_rank": int,
    "fully_diluted_valuation": float | None,
    "total_volume": float,
    "high_24h": float,
    "low_24h": float,
    "price_change_24h": float,
    "price_change_percentage_24h": float,
    "market_cap_change_24h": float,
    "market_cap_change_percentage_24h": float,
    "circulating_supply": float,
    "total_supply": float | None,
    "max_supply": float | None,
    "ath": float,
    "ath_change_percentage": float,
    "ath_date": str,
    "atl": float,
    "atl_change_percentage": float,
    "atl_date": str,
    "roi": dict | None,
    "last_updated": str,
}


@pytest.fixture(scope="module")
def market() -> SimulatedMarket:
    """120 coins, more than a page holds unless asked."""
    return SimulatedMarket(coins_wanted("top:120"), 0)


@pytest.fixture(scope="module")
def server(market: SimulatedMarket) -> Iterator[MarketServer]:
    """A server whose clock stands still."""
    with MarketServer(market, clock=lambda: NOW_MS) as running:
        yield running


def get(server: MarketServer, path: str, **query: object) -> Any:
    """The JSON of a 200."""
    answer = requests.get(server.url + path, params={name: str(value) for name, value in query.items()}, timeout=10)
    assert answer.status_code == 200, answer.text
    return answer.json()


def refused(server: MarketServer, path: str, **query: object) -> tuple[int, Any]:
    """Status and JSON of a refusal."""
    answer = requests.get(server.url + path, params={name: str(value) for name, value in query.items()}, timeout=10)
    return answer.status_code, answer.json()


def milliseconds(text: str) -> int:
    """UTC milliseconds of an ISO text."""
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def test_ping_answers(server: MarketServer) -> None:
    """The server is there."""
    assert get(server, "/ping") == {"gecko_says": "(V3) To the Moon!"}


def test_a_market_row_has_every_field_of_the_specification(server: MarketServer) -> None:
    """All fields are present, of the right type, null only where live answers have nulls; nothing unasked is there."""
    rows = get(server, "/coins/markets", vs_currency="usd", per_page=250)
    for row in rows:
        assert row.keys() == FIELDS.keys()
        for name, kind in FIELDS.items():
            value = float(row[name]) if kind is not int and isinstance(row[name], int) else row[name]
            assert isinstance(value, kind), (row["id"], name)
    for name in ("fully_diluted_valuation", "total_supply", "max_supply", "roi"):
        assert 0 < sum(row[name] is None for row in rows) < len(rows)


def test_market_numbers_agree_with_the_market(server: MarketServer, market: SimulatedMarket) -> None:
    """Price, event time, day's range, change and cap are those of the market itself."""
    for row in get(server, "/coins/markets", vs_currency="usd", per_page=250, precision="full"):
        event_ms = milliseconds(row["last_updated"])
        assert NOW_MS - 1000 < event_ms <= NOW_MS
        assert row["current_price"] == price_at(market, row["id"], event_ms)
        assert row["low_24h"] <= row["current_price"] <= row["high_24h"] <= row["ath"]
        before = price_at(market, row["id"], event_ms - DAY_MS)
        assert row["price_change_24h"] == pytest.approx(row["current_price"] - before)
        assert row["market_cap"] == pytest.approx(row["current_price"] * row["circulating_supply"], rel=1e-3)


def test_pages_are_cut_at_100_in_the_order_of_market_cap(server: MarketServer) -> None:
    """Without per_page 100 rows come back; ranks go on over pages; past the end there is an empty list."""
    first = get(server, "/coins/markets", vs_currency="usd")
    second = get(server, "/coins/markets", vs_currency="usd", page=2)
    assert (len(first), len(second)) == (100, 20)
    assert [row["market_cap_rank"] for row in first + second] == list(range(1, 121))
    caps = [row["market_cap"] for row in first + second]
    assert caps == sorted(caps, reverse=True)
    assert get(server, "/coins/markets", vs_currency="usd", page=3) == []


def test_ids_come_back_in_market_order_and_unknown_ones_not_at_all(server: MarketServer) -> None:
    """The order asked for is ignored; an id after a blank is another id."""
    rows = get(server, "/coins/markets", vs_currency="usd", ids="cardano,nobody,bitcoin, ethereum")
    assert [row["id"] for row in rows] == ["bitcoin", "cardano"]


def test_the_sparkline_holds_a_week_of_hours(server: MarketServer, market: SimulatedMarket) -> None:
    """168 prices at the last whole hours, in the currency asked for, the newest last."""
    [row] = get(server, "/coins/markets", vs_currency="eur", ids="bitcoin", sparkline="true")
    values = row["sparkline_in_7d"]["price"]
    hour_ms = NOW_MS // 3_600_000 * 3_600_000
    truth = [price_at(market, "bitcoin", hour_ms - back * 3_600_000) for back in range(167, -1, -1)]
    assert values == pytest.approx([price * CURRENCIES["eur"] for price in truth])


@pytest.mark.parametrize(
    ("value", "full", "shown"),
    [
        (67187.3358, False, 67187),
        (3104.556, False, 3104.56),
        (0.58127349, False, 0.581273),
        (0.0000118123456, False, 0.00001181),
        (67187.3358, True, 67187.3358),
        (float("nan"), False, None),
        (float("nan"), True, None),
    ],
)
def test_numbers_are_rounded_by_size_unless_all_digits_are_asked_for(
    value: float, *, full: bool, shown: float | None
) -> None:
    """CoinGecko's own rounding hides digits; `precision=full` shows them."""
    assert shown_number(value, full=full) == shown


def test_currencies_are_converted_at_fixed_rates(server: MarketServer) -> None:
    """A price in reais is the dollar price times the rate."""
    [usd], [brl] = (
        get(server, "/coins/markets", vs_currency=name, ids="bitcoin", precision="full") for name in ("usd", "BRL")
    )
    assert brl["current_price"] == pytest.approx(usd["current_price"] * CURRENCIES["brl"])


@pytest.mark.parametrize(
    ("path", "query", "status", "needle"),
    [
        ("/coins/markets", {}, 422, "Missing parameter vs_currency"),
        ("/coins/markets", {"vs_currency": "usdt"}, 400, "invalid vs_currency"),
        ("/coins/markets", {"vs_currency": "usd", "precision": "x"}, 400, "invalid precision"),
        ("/coins/nobody/market_chart", {"vs_currency": "usd", "days": "1"}, 404, "coin not found"),
        ("/coins/bitcoin/market_chart", {"vs_currency": "xxx", "days": "1"}, 400, "invalid vs_currency"),
        ("/coins/bitcoin/market_chart", {"vs_currency": "usd"}, 422, "Missing parameter days"),
        ("/coins/bitcoin/market_chart", {"vs_currency": "usd", "days": "-1"}, 400, "invalid days"),
        ("/coins/bitcoin/market_chart", {"vs_currency": "usd", "days": "366"}, 401, 10012),
        ("/coins/bitcoin/market_chart", {"vs_currency": "usd", "days": "max"}, 401, 10012),
        ("/simple/price", {"ids": "bitcoin", "vs_currencies": "usd"}, 404, "Incorrect path"),
        ("/nowhere", {}, 404, "Incorrect path"),
    ],
)
def test_bad_requests_are_refused_as_coingecko_does(
    server: MarketServer, path: str, query: dict[str, str], status: int, needle: str | int
) -> None:
    """Status and wording (or code) of each refusal."""
    found, answer = refused(server, path, **query)
    assert found == status
    assert str(needle) in json.dumps(answer)


def test_answers_carry_the_edge_s_headers(server: MarketServer) -> None:
    """Cache rules, weak tag, age and ids are there, and a large body is compressed."""
    answer = requests.get(f"{server.url}/coins/markets", params={"vs_currency": "usd"}, timeout=10)
    for name in ("Cache-Control", "Age", "CF-Cache-Status", "CF-Ray", "X-Request-Id", "Vary"):
        assert name in answer.headers
    assert answer.headers["ETag"].startswith('W/"')
    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"


def test_a_url_that_is_too_long_is_refused(server: MarketServer) -> None:
    """Beyond 8 kB there is an HTML page with 414."""
    answer = requests.get(f"{server.url}/coins/markets?ids={'x' * 9000}", timeout=10)
    assert answer.status_code == 414
    assert "<html>" in answer.text
