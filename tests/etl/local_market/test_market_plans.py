"""The local market server keeps the rules of each CoinGecko plan: User-Agent, keys, budgets, cache, cadence."""

from __future__ import annotations

import json
from contextlib import closing
from http.client import HTTPConnection
from urllib.parse import urlsplit

import numpy as np
import pytest
import requests

from etl.local_market.cadence import LiveCadence
from etl.local_market.coin_names import coins_wanted
from etl.local_market.market import price_at
from etl.local_market.plans import CALLS_PER_MINUTE, PlanLimits
from etl.local_market.replies import Reply
from etl.local_market.server import MarketServer
from etl.local_market.simulated import SimulatedMarket

NOW_MS = 1_790_000_123_456
AGENT = {"user-agent": "test/1"}
DEMO = {"x-cg-demo-api-key": "CG-demo"}
PRO = {"x-cg-pro-api-key": "CG-pro"}
MARKET = SimulatedMarket(coins_wanted("bitcoin,ethereum,tether"), 0)


@pytest.mark.parametrize("headers", [{}, {"User-Agent": ""}])
@pytest.mark.parametrize("plan", list(CALLS_PER_MINUTE))
def test_a_request_without_a_user_agent_is_forbidden(plan: str, headers: dict[str, str]) -> None:
    """403 with a code of its own, on every plan."""
    with MarketServer(MARKET, plan=plan) as server:
        address = urlsplit(server.url)
        with closing(HTTPConnection(str(address.hostname), address.port, timeout=10)) as connection:
            connection.request(
                "GET", f"{address.path}/ping", headers={**PRO, **headers} if plan == "pro-key" else headers
            )
            answer = connection.getresponse()
            body = json.loads(answer.read())
    assert answer.status == 403
    assert body["status"]["error_code"] == 403


@pytest.mark.parametrize("plan", ["keyless", "demo-key", "pro-key"])
def test_the_call_beyond_the_budget_waits_for_the_next_minute(plan: str) -> None:
    """429 with Retry-After, refusals do not prolong it, and after that wait calls are answered again."""
    limits = PlanLimits(plan)
    headers = {**AGENT, **(PRO if plan == "pro-key" else DEMO if plan == "demo-key" else {})}
    budget = CALLS_PER_MINUTE[plan]
    assert budget is not None
    for call in range(budget):
        assert limits.check(headers, {}, NOW_MS + call) is None
    refusal = limits.check(headers, {}, NOW_MS + 7_000)
    assert refusal is not None
    assert refusal.reply.status == 429
    assert refusal.reply.headers == {"Retry-After": "53"}
    assert limits.check(headers, {}, NOW_MS + 59_999) is not None
    assert limits.check(headers, {}, NOW_MS + 60_000) is None


def test_errors_count_against_the_minute_but_not_against_the_month() -> None:
    """Only an answered call costs a credit; a spent month has no Retry-After."""
    limits = PlanLimits("demo-key", calls_per_minute=100, calls_per_month=2)
    headers = {**AGENT, **DEMO}
    limits.count_answer(Reply({}, 404))
    for _ in range(2):
        assert limits.check(headers, {}, NOW_MS) is None
        limits.count_answer(Reply({}))
    refusal = limits.check(headers, {}, NOW_MS)
    assert refusal is not None
    assert (refusal.reply.status, refusal.reply.headers) == (429, {})


def test_without_its_key_a_demo_client_has_the_keyless_budget() -> None:
    """The key makes the difference, whether in the header or in the query."""
    for query, budget in (({}, CALLS_PER_MINUTE["keyless"]), ({"x_cg_demo_api_key": "CG-1"}, 30)):
        limits = PlanLimits("demo-key")
        answered = [limits.check(AGENT, query, NOW_MS) is None for _ in range(40)]
        assert answered.count(True) == budget


@pytest.mark.parametrize(
    ("plan", "headers", "status", "code"),
    [
        ("keyless", PRO, 400, 10010),
        ("demo-key", PRO, 400, 10010),
        ("pro-key", DEMO, 400, 10011),
        ("pro-key", {}, 401, 10002),
    ],
)
def test_a_key_in_the_wrong_place_is_named(plan: str, headers: dict[str, str], status: int, code: int) -> None:
    """Each mistake with a key has its own code, which tells a client to stop."""
    refusal = PlanLimits(plan).check({**AGENT, **headers}, {}, NOW_MS)
    assert refusal is not None
    body = refusal.reply.payload
    assert refusal.reply.status == status
    assert code in (body.get("error_code"), body["status"].get("error_code"))


def test_a_paid_plan_has_no_limit_of_history() -> None:
    """What is 401 elsewhere is answered with the history there is."""
    with MarketServer(MARKET, plan="pro-key", clock=lambda: NOW_MS) as server:
        for query in ({"days": "max"}, {"days": "730"}):
            answer = requests.get(
                f"{server.url}/coins/bitcoin/market_chart",
                params={"vs_currency": "usd", **query},
                headers=PRO,
                timeout=10,
            )
            assert answer.status_code == 200


def test_behind_the_cache_answers_repeat_within_a_window() -> None:
    """Within one window the body is the same and grows older; the next window has another."""
    now = [NOW_MS // 60_000 * 60_000]
    with MarketServer(MARKET, cached=True, clock=lambda: now[0]) as server:
        url = f"{server.url}/coins/markets?vs_currency=usd&precision=full"
        first = requests.get(url, timeout=10)
        now[0] += 59_000
        second = requests.get(url, timeout=10)
        now[0] += 1_000
        third = requests.get(url, timeout=10)
    assert first.content == second.content != third.content
    assert (first.headers["Age"], second.headers["Age"], third.headers["Age"]) == ("0", "59", "0")
    assert second.headers["CF-Cache-Status"] == "HIT"
    assert first.headers["ETag"] == second.headers["ETag"] != third.headers["ETag"]


def test_at_coingecko_s_cadence_prices_are_true_and_at_most_five_minutes_old() -> None:
    """Events are about a minute apart, jittered, never in the future, and a pure function of time."""
    live = LiveCadence(MARKET)
    times = NOW_MS + 1000 * np.arange(0, 86_400, 7)
    rows = np.zeros(len(times), np.int64)
    events = live.event_times(rows, times)
    ages = (times - events) / 1000
    assert ages.min() >= 0
    assert ages.max() <= 300
    assert np.mean(ages < 90) > 0.8
    assert (np.diff(events) >= 0).all()
    distinct = np.unique(events)
    assert 1_000 < len(distinct) < 1_440
    assert np.diff(distinct).std() > 5_000
    known = {ts_ms: price_at(MARKET, "bitcoin", ts_ms) for ts_ms in distinct.tolist()}
    assert live.prices(rows, times).tolist() == [known[ts_ms] for ts_ms in events.tolist()]
    assert LiveCadence(MARKET).event_times(rows[::-1], times[::-1]).tolist() == events[::-1].tolist()


def test_coins_have_event_times_of_their_own_at_the_live_cadence() -> None:
    """On one page the moments of the coins are spread."""
    live = LiveCadence(SimulatedMarket(coins_wanted("top:250"), 0))
    events = live.event_times(np.arange(250), np.full(250, NOW_MS))
    assert 60_000 < events.max() - events.min() < 300_000


def test_the_longest_budget_is_counted_across_requests_over_http() -> None:
    """The sixth call of a minute meets the limit that was set."""
    with MarketServer(MARKET, plan="keyless", calls_per_minute=5, clock=lambda: NOW_MS) as server:
        statuses = [requests.get(f"{server.url}/ping", timeout=10).status_code for _ in range(6)]
        assert [asked.status for asked in server.requests] == statuses
    assert statuses == [200] * 5 + [429]
