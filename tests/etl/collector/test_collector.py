"""The collector against the local market server, hours of it in seconds: start, gaps, budget, clocks, jumps."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest

from core.price_store import open_reader
from core.processes.health_schema import PollOutcome
from core.realised_price import PRICE_TOLERANCE_MS
from core.times import DAY_MS, HOUR_MS, parse_iso
from tests.support.collector_worlds import COINS, Worlds, fields, widest_gap_s
from tests.support.faults import Fault, FaultPlan


def test_a_first_start_has_every_coin_at_once_and_then_its_day(make_world: Worlds) -> None:
    """One call gives all prices, names and hourly history; then one call a coin gives 24 hours of 5 minutes."""
    world = make_world(plan="keyless")
    collector = world.start(coins=COINS, coingecko_plan="keyless", interval=30)
    collector.turn()
    assert len(world.server.requests) == 1
    with open_reader(world.database) as reader:
        assert {coin.id: coin.symbol for coin in reader.coins()} == {
            "bitcoin": "btc",
            "ethereum": "eth",
            "dogecoin": "doge",
        }
        assert [len(reader.hourly(coin)) for coin in COINS.split(",")] == [168, 168, 168]
        assert len(reader.latest()) == 3
    began_ms = world.wall_ms
    world.run(300)
    assert fields(world)["backfill_done"] == fields(world)["backfill_total"] == 3
    for coin in COINS.split(","):
        assert len(world.stored(coin)) > 290
        assert widest_gap_s(world, coin, began_ms - DAY_MS + HOUR_MS) < PRICE_TOLERANCE_MS / 1000


def test_keyless_polls_keep_their_cadence_while_the_back_fill_runs(make_world: Worlds) -> None:
    """Ten coins: every poll within two seconds of its half minute, at most five calls in any minute."""
    world = make_world(plan="keyless", market="top:10", calls_per_minute=5)
    world.start(coins="top:10", coingecko_plan="keyless", interval=30)
    world.run(600)
    polls = world.asked("/coins/markets")[1:]
    assert all(abs((later - earlier) / 1000 - 30) < 2.5 for earlier, later in pairwise(polls))
    assert len(world.asked("market_chart")) == 10
    times = [request.time_ms for request in world.server.requests]
    assert all(later - earlier >= 60_000 for earlier, later in zip(times, times[5:], strict=False))
    assert {request.status for request in world.server.requests} == {200}


def test_a_demo_key_polls_every_five_minutes_and_says_so(make_world: Worlds) -> None:
    """The cadence in force and when prices count as stale stand in the health file."""
    world = make_world(plan="demo-key")
    world.start(coins=COINS, coingecko_plan="demo-key", coingecko_key="CG-made-up")
    world.run(1500)
    assert fields(world)["cadence_s"] == 300
    assert fields(world)["stale_after_s"] == 900
    assert [round((later - earlier) / 1000) for earlier, later in pairwise(world.asked("/coins/markets"))] == [300] * 4
    assert fields(world)["calls_month"] == len(world.server.requests)


def test_the_last_calls_of_a_month_are_for_polls(make_world: Worlds) -> None:
    """A demo key with 40 calls for ten days fetches no history, so that the calls last as long as the month."""
    world = make_world(market="top:60")
    world.wall_ms = parse_iso("2026-11-20T12:00:00Z")
    collector = world.start(coins="top:50", coingecko_plan="demo-key", coingecko_key="CG-made-up")
    budget = collector.context.calls.budget
    budget.load_state(json.dumps({**json.loads(budget.dump_state()), "calls": {"2026-11": 9_960}}))
    world.run(1200)
    assert world.asked("market_chart") == []
    assert budget.limits.per_month - budget.calls_month > 36
    assert budget.delay_s() == 0


@pytest.mark.parametrize("away_s", [1800, 6 * 3600])
def test_a_gap_is_repaired_after_downtime(make_world: Worlds, away_s: int) -> None:
    """Stopped for half an hour or six: afterwards there is a price at least every five minutes or so."""
    world = make_world()
    world.start(coins=COINS)
    world.run(120)
    began_ms = world.wall_ms
    world.stop()
    world.move(away_s)
    world.start()
    world.run(60)
    assert widest_gap_s(world, "bitcoin", began_ms - HOUR_MS) < PRICE_TOLERANCE_MS / 1000


def test_a_machine_that_slept_repairs_the_gap_on_waking(make_world: Worlds) -> None:
    """While asleep only the wall clock moves; the first poll awake shows the gap."""
    world = make_world()
    world.start(coins=COINS)
    world.run(60)
    began_ms = world.wall_ms
    world.wall_ms += 6 * HOUR_MS
    world.run(60)
    assert widest_gap_s(world, "ethereum", began_ms - HOUR_MS) < PRICE_TOLERANCE_MS / 1000


@pytest.mark.parametrize("shift_ms", [HOUR_MS, -HOUR_MS])
def test_a_clock_that_jumps_by_an_hour_changes_nothing(make_world: Worlds, shift_ms: int) -> None:
    """Polls keep their pace, and what the source says is stored at the source's event times."""
    world = make_world()
    collector = world.start(coins=COINS)
    world.run(60)
    skew = 0
    server_clock = world.server.clock
    world.server.clock = lambda: server_clock() - skew
    before = len(world.server.requests)
    world.wall_ms += shift_ms
    skew = shift_ms
    world.run(60)
    assert len(world.server.requests) - before == 12
    assert collector.context.backfill_queue.next is None
    times = sorted(world.stored("bitcoin"))
    assert times[-1] > world.wall_ms - shift_ms - 10_000
    assert len([ts_ms for ts_ms in times if ts_ms > times[-1] - 60_000]) == 12


def test_a_spike_is_never_stored_and_a_restart_does_not_forget_it(make_world: Worlds) -> None:
    """Two polls at ten times the price, a restart between them: no trace; the coin is named while it waits."""
    world = make_world()
    world.start(coins=COINS)
    world.run(20)
    world.server.faults = FaultPlan([Fault("spike", coins=("bitcoin",), path="markets")])
    world.run(5)
    assert fields(world)["pending_jumps"] == ("bitcoin",)
    world.start()
    world.run(1)
    assert fields(world)["pending_jumps"] == ("bitcoin",)
    world.server.faults = FaultPlan()
    world.run(20)
    assert fields(world)["pending_jumps"] == ()
    prices = world.stored("bitcoin").values()
    assert max(prices) < 1.5 * min(prices)


def test_a_jump_that_stays_is_stored_from_its_first_quote(make_world: Worlds) -> None:
    """A price that doubles for good is stored after three polls, each quote at its own event time."""
    world = make_world()
    world.start(coins=COINS)
    world.run(20)
    usual = max(world.stored("bitcoin").values())
    world.server.faults = FaultPlan([Fault("spike", coins=("bitcoin",), factor=2.0)])
    asked = len(world.asked("/coins/markets"))
    world.run(40)
    polls = len(world.asked("/coins/markets")) - asked
    assert len([price for price in world.stored("bitcoin").values() if price > 1.5 * usual]) == polls


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        ("rate_limit", PollOutcome.RATE_LIMITED),
        ("ban_1015", PollOutcome.BANNED),
        ("server_error", PollOutcome.UNAVAILABLE),
        ("html_200", PollOutcome.BAD_REPLY),
    ],
)
def test_calls_of_polls_are_counted_by_outcome(make_world: Worlds, kind: str, outcome: PollOutcome) -> None:
    """One failure counts once under its own name, and every other call as answered."""
    world = make_world()
    world.start(coins=COINS)
    world.server.faults = FaultPlan([Fault(kind, times=1, path="markets")])
    world.run(700)
    polls = len(world.asked("/coins/markets"))
    assert fields(world)["polls"] == {outcome: 1, PollOutcome.ANSWERED: polls - 1}


def test_a_first_price_that_is_a_spike_is_not_believed(make_world: Worlds) -> None:
    """The hourly prices in the same reply say where the price lies."""
    world = make_world()
    world.server.faults = FaultPlan([Fault("spike", coins=("bitcoin",), times=1, path="markets")])
    world.start(coins=COINS)
    world.run(30)
    prices = world.stored("bitcoin").values()
    assert max(prices) < 1.5 * min(prices)


def test_retry_after_is_obeyed_to_the_second_also_by_the_next_process(make_world: Worlds) -> None:
    """Nothing is asked for 53 s, although the collector is restarted meanwhile; then it goes on at once."""
    world = make_world()
    world.start(coins=COINS, coingecko_plan="keyless", calls_per_minute=60)
    world.run(30)
    world.server.faults = FaultPlan([Fault("rate_limit", times=1, retry_after_s=53)])
    world.run(10)
    refused_ms = world.server.requests[-1].time_ms
    assert world.server.requests[-1].status == 429
    assert fields(world)["wait_reason"] == "limite do CoinGecko"
    assert fields(world)["message"].startswith("aguardando ")
    world.start()
    world.run(60)
    resumed_ms = min(ts_ms for ts_ms in world.asked("/coins/") if ts_ms > refused_ms)
    assert 53_000 <= resumed_ms - refused_ms <= 54_000


@pytest.mark.parametrize("kind", ["ban_1015", "ban_1020"])
def test_a_ban_is_ten_minutes_of_silence(make_world: Worlds, kind: str) -> None:
    """Then one call, and back to work."""
    world = make_world()
    world.start(coins=COINS)
    world.run(30)
    world.server.faults = FaultPlan([Fault(kind, times=1)])
    world.run(700)
    times = [request.time_ms for request in world.server.requests]
    assert 600_000 <= max(later - earlier for earlier, later in pairwise(times)) <= 602_000
    assert fields(world)["wait_reason"] is None


@pytest.mark.parametrize(
    "kind",
    ["server_error", "html_200", "empty_object", "empty_list", "reset", "cut_body", "wrong_length", "gzip_garbage"],
)
def test_after_any_failure_polls_are_back_within_the_back_off(make_world: Worlds, kind: str) -> None:
    """A minute of failures, then a price again within half a minute, and the gap repaired."""
    world = make_world()
    world.start(coins=COINS)
    world.run(30)
    world.server.faults = FaultPlan([Fault(kind)])
    world.run(60)
    assert fields(world)["wait_reason"]
    world.server.faults = FaultPlan()
    healed_ms = world.wall_ms
    world.run(31)
    assert max(world.stored("bitcoin")) > healed_ms
    assert fields(world)["wait_reason"] is None
    assert fields(world)["backfill_done"] == fields(world)["backfill_total"] == 3


def test_one_missing_coin_stops_no_other_and_is_taken_again(make_world: Worlds) -> None:
    """An unknown id is named as missing; when it comes back it is collected at once."""
    world = make_world()
    world.start(coins=COINS)
    world.server.faults = FaultPlan([Fault("missing", coins=("dogecoin",)), Fault("price_null", coins=("ethereum",))])
    world.run(20)
    assert fields(world)["missing"] == (
        "dogecoin",
        "ethereum",
    )
    assert len(world.stored("bitcoin")) > 4
    world.server.faults = FaultPlan()
    world.run(20)
    assert fields(world)["missing"] == ()
    assert max(world.stored("dogecoin")) > world.wall_ms - 10_000


def test_a_coin_whose_price_stands_still_is_named(make_world: Worlds) -> None:
    """Others move on, its last_updated does not: said after a quarter of an hour, until it moves again."""
    world = make_world()
    world.start(coins=COINS)
    world.run(20)
    world.server.faults = FaultPlan([Fault("frozen", coins=("ethereum",), path="markets")])
    world.run(800)
    assert fields(world)["late"] == ()
    world.run(200)
    assert fields(world)["late"] == ("ethereum",)
    assert "preço parado: ethereum" in fields(world)["message"]
    world.server.faults = FaultPlan()
    world.run(20)
    assert fields(world)["late"] == ()


def test_a_server_that_refuses_the_sparkline_is_collected_all_the_same(make_world: Worlds) -> None:
    """Refused twice, the hourly prices are done without; prices come."""
    world = make_world()
    world.server.faults = FaultPlan([Fault("server_error", times=2, status=401)])
    world.start(coins=COINS)
    world.run(60)
    polls = [request for request in world.server.requests if "ids" in request.query]
    assert [request.query["sparkline"] for request in polls[:4]] == ["true", "true", "false", "false"]
    assert len(world.stored("bitcoin")) > 290


def test_the_n_largest_are_looked_up_once_a_day(make_world: Worlds) -> None:
    """300 coins are two pages; the list is kept over a restart and renewed after a day; polls then ask by ids."""
    world = make_world(market="top:300")
    collector = world.start(coins="top:260")
    world.run(2)
    ids = collector.context.universe.ids
    assert len(set(ids)) == 260
    asked = [request for request in world.server.requests if request.path.endswith("/coins/markets")]
    assert [request.query["page"] for request in asked if "ids" not in request.query] == ["1", "2"]
    assert [len(request.query["ids"].split(",")) for request in asked if "ids" in request.query][:2] == [250, 10]
    collector = world.start()
    assert collector.context.universe.ids == ids
    assert not collector.context.universe.is_due(world.wall_ms + 23 * HOUR_MS)
    assert collector.context.universe.is_due(world.wall_ms + 25 * HOUR_MS)


def test_reais_work_end_to_end(make_world: Worlds) -> None:
    """Prices in brl are several times those in usd."""
    world = make_world()
    world.start(coins=COINS, currency="brl")
    world.run(10)
    assert min(world.stored("bitcoin").values()) > 100_000
