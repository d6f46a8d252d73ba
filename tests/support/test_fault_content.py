"""Wrong values in a right shape: what each fault of content makes of an answer, seen over a real socket."""

from __future__ import annotations

import json
from datetime import datetime

import pytest
import requests

from etl.local_market.market import price_at
from tests.support.fault_answers import CHART, MARKET, MARKETS, NOW_MS, rows, suffer
from tests.support.faults import Fault, FaultPlan
from tests.support.faulty_market import FaultyMarketServer


@pytest.mark.parametrize(
    ("kind", "shown"),
    [("price_null", "null"), ("price_zero", "0"), ("price_nan", "NaN"), ("price_infinity", "Infinity")],
)
def test_wrong_prices_of_one_coin(server: FaultyMarketServer, kind: str, shown: str) -> None:
    """The page and the chart's last row of that coin alone are wrong."""
    fault = Fault(kind, coins=("bitcoin",))
    page = rows(server, fault)
    assert json.dumps(page["bitcoin"]["current_price"]) == shown
    assert page["ethereum"]["current_price"] == price_at(MARKET, "ethereum", NOW_MS)
    assert json.dumps(suffer(server, CHART, fault).json()["prices"][-1][1]) == shown


def test_negative_and_text_prices(server: FaultyMarketServer) -> None:
    """All coins at once where none is named."""
    assert all(row["current_price"] < 0 for row in rows(server, Fault("price_negative")).values())
    assert all(isinstance(row["current_price"], str) for row in rows(server, Fault("price_text")).values())


def test_a_spike_returns(server: FaultyMarketServer) -> None:
    """Ten times the price for two polls, then the true price."""
    server.faults = FaultPlan([Fault("spike", times=2, coins=("solana",))])
    truth = price_at(MARKET, "solana", NOW_MS)
    seen = []
    for _ in range(3):
        page = requests.get(server.url + MARKETS, timeout=5).json()
        seen.append(next(row["current_price"] for row in page if row["id"] == "solana"))
    assert seen == pytest.approx([10 * truth, 10 * truth, truth])


def test_stale_rows_are_true_prices_of_their_own_moment(server: FaultyMarketServer) -> None:
    """Two days old by its event time, and the price that was right then."""
    page = rows(server, Fault("stale", coins=("bitcoin",), age_s=172_800))
    then_ms = round(datetime.fromisoformat(page["bitcoin"]["last_updated"]).timestamp() * 1000)
    assert (NOW_MS - then_ms) // 1000 == 172_800
    assert page["bitcoin"]["current_price"] == price_at(MARKET, "bitcoin", then_ms)
    assert page["ethereum"]["last_updated"] == "2026-09-21T14:15:23.000Z"


def test_a_stale_chart_is_that_of_an_earlier_moment(server: FaultyMarketServer) -> None:
    """A day of true prices that ends two days ago; the charts of other coins end now."""
    fault = Fault("stale", coins=("bitcoin",), age_s=172_800)
    prices = suffer(server, CHART, fault).json()["prices"]
    assert 286 <= len(prices) <= 290
    assert NOW_MS - 172_802_000 < max(ts_ms for ts_ms, _ in prices) <= NOW_MS - 172_800_000
    assert all(price == price_at(MARKET, "bitcoin", ts_ms) for ts_ms, price in prices)
    other = suffer(server, CHART.replace("bitcoin", "ethereum"), fault).json()["prices"]
    assert NOW_MS - 2_000 < max(ts_ms for ts_ms, _ in other) <= NOW_MS


def test_a_frozen_coin_stays_at_the_moment_of_its_first_hit() -> None:
    """The clock goes on, but its event time stays."""
    now = [NOW_MS]
    with FaultyMarketServer(
        MARKET, clock=lambda: now[0], faults=FaultPlan([Fault("frozen", coins=("bitcoin",))])
    ) as server:
        moments = []
        for _ in range(3):
            page = requests.get(server.url + MARKETS, timeout=5).json()
            moments.append({row["id"]: row["last_updated"] for row in page})
            now[0] += 30_000
    assert len({moment["bitcoin"] for moment in moments}) == 1
    assert len({moment["ethereum"] for moment in moments}) == 3


def test_rows_from_the_future(server: FaultyMarketServer) -> None:
    """An hour ahead in the page and in the chart."""
    fault = Fault("future", coins=("bitcoin",), ahead_s=3600)
    moment = datetime.fromisoformat(rows(server, fault)["bitcoin"]["last_updated"])
    assert moment.timestamp() == pytest.approx(NOW_MS / 1000 + 3600)
    assert suffer(server, CHART, fault).json()["prices"][-1][0] == NOW_MS + 3_600_000


def test_missing_ids(server: FaultyMarketServer) -> None:
    """Those named are left out; without names every second one."""
    assert set(rows(server, Fault("missing", coins=("tether",)))) == {"bitcoin", "ethereum", "solana"}
    assert len(rows(server, Fault("missing"))) == 2


def test_charts_in_disorder(server: FaultyMarketServer) -> None:
    """A tail that runs backwards with a row twice; holes; no rows at all."""
    tail = [row[0] for row in suffer(server, CHART, Fault("unordered")).json()["prices"][-5:]]
    assert tail != sorted(tail)
    assert len(set(tail)) == 4
    whole, holes = (len(suffer(server, CHART, Fault(kind)).json()["prices"]) for kind in ("spike", "holes"))
    assert whole * 0.8 < holes < whole * 0.9
    assert suffer(server, CHART, Fault("empty_arrays")).json() == {
        "prices": [],
        "market_caps": [],
        "total_volumes": [],
    }


def test_pages_in_disorder_and_without_sparklines(server: FaultyMarketServer) -> None:
    """The smallest first; a sparkline without values."""
    caps = [row["market_cap"] for row in rows(server, Fault("unordered")).values()]
    assert caps == sorted(caps)
    assert rows(server, Fault("empty_arrays"))["bitcoin"]["sparkline_in_7d"] == {"price": []}


def test_unknown_caps_are_zero(server: FaultyMarketServer) -> None:
    """Zero means unknown in a page; in a chart zeros and nulls."""
    row = rows(server, Fault("cap_zero", coins=("bitcoin",)))["bitcoin"]
    assert (row["market_cap"], row["circulating_supply"]) == (0, 0)
    caps = {value for _, value in suffer(server, CHART, Fault("cap_zero")).json()["market_caps"]}
    assert caps == {0, None}


def test_a_renamed_coin_lives_under_its_new_id(server: FaultyMarketServer) -> None:
    """The new id has its prices everywhere; the old one is gone."""
    fault = Fault("renamed", coins=("bitcoin",), new_id="bitcoin-2")
    page = rows(server, fault)
    assert "bitcoin" not in page
    assert page["bitcoin-2"]["current_price"] == price_at(MARKET, "bitcoin", NOW_MS)
    assert set(page) == {"bitcoin-2", "ethereum", "solana", "tether"}
    assert suffer(server, CHART, fault).status_code == 404
    assert suffer(server, CHART.replace("bitcoin", "bitcoin-2"), fault).status_code == 200


def test_a_delisted_coin_is_gone(server: FaultyMarketServer) -> None:
    """404 for its chart, and absent from the page."""
    fault = Fault("delisted", coins=("bitcoin",))
    assert suffer(server, CHART, fault).json() == {"error": "coin not found"}
    assert "bitcoin" not in rows(server, fault)
