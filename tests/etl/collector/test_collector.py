"""The collector against the local market server, hours of it in seconds: start, gaps, budget, jumps, trouble."""

from __future__ import annotations

import dataclasses
import sqlite3
import threading
from collections.abc import Callable
from contextlib import nullcontext, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.errors import ConfigurationError, CredentialProblem, DamagedFile, StandingBy
from core.price_store import open_reader
from core.price_store.sqlite.writer import SqliteWriter
from core.processes.health_schema import PollOutcome, ProcessState
from core.realised_price import PRICE_TOLERANCE_MS
from core.times import DAY_MS, HOUR_MS
from core.wording import Message, message, say
from etl.collector.health_report import collector_progress
from tests.support.faults import STORM_KINDS, Fault, FaultPlan

COINS = "bitcoin,ethereum,dogecoin"
Worlds = Callable[..., Any]


def fields(world: Any) -> dict[str, Any]:
    """The progress fields of the collector's health file."""
    progress = collector_progress(world.collector)[1]
    values = {field.name: getattr(progress, field.name) for field in dataclasses.fields(progress)}
    return {name: say(value) if isinstance(value, Message) else value for name, value in values.items()}


def widest_gap_s(world: Any, coin_id: str, since_ms: int) -> float:
    """The longest time between two stored prices from `since_ms` on."""
    times: list[int] = sorted(ts_ms for ts_ms in world.stored(coin_id) if ts_ms >= since_ms)
    return max(later - earlier for earlier, later in pairwise(times)) / 1000


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


def test_prices_survive_a_full_disk_in_memory_and_are_stored_later(make_world: Worlds) -> None:
    """While the database cannot grow, prices wait in memory and health says so; afterwards they are all stored."""
    world = make_world()
    collector = world.start(coins=COINS)
    world.run(20)
    connection: sqlite3.Connection = world.writer._connection  # SQLite limits its pages by connection
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    began_ms = world.wall_ms
    connection.execute(f"PRAGMA max_page_count = {pages}")
    world.run(900)
    state = collector_progress(collector)[0]
    now = fields(world)
    assert state is ProcessState.STORAGE_REFUSED
    assert now["unsaved"] > 0
    assert "não consigo gravar" in now["message"]
    connection.execute("PRAGMA max_page_count = 1000000")
    world.run(20)
    assert fields(world)["unsaved"] == 0
    assert collector_progress(collector)[0] is ProcessState.COLLECTING
    assert len([ts_ms for ts_ms in world.stored("bitcoin") if ts_ms > began_ms]) > 180


def test_a_collector_stands_by_while_another_writes(make_world: Worlds, monkeypatch: pytest.MonkeyPatch) -> None:
    """It asks for no prices and says so; when the other is gone, it stores what it had and fills the gap."""
    world = make_world()
    collector = world.start(coins=COINS)
    world.run(600)
    began_ms = world.wall_ms
    with monkeypatch.context() as patch:

        def refuse(*_: object, **__: object) -> None:
            raise StandingBy(message("prices.standing_by"))

        for name in ("store", "set_meta", "verify"):
            patch.setattr(world.writer, name, refuse)
        world.run(20)
        asked = len(world.server.requests)
        world.run(900)
        assert len(world.server.requests) == asked
        assert collector_progress(collector)[0] is ProcessState.STANDING_BY
        assert "outro coletor" in fields(world)["message"]
    world.run(900)
    assert collector_progress(collector)[0] is ProcessState.COLLECTING
    assert fields(world)["unsaved"] == 0
    assert widest_gap_s(world, "bitcoin", began_ms) <= PRICE_TOLERANCE_MS / 1000


def test_a_database_damaged_while_open_is_replaced_and_filled_again(make_world: Worlds) -> None:
    """Garbage in the middle of the file: set aside, and the day before is fetched again."""
    world = make_world()
    world.start(coins=COINS)
    world.run(20)
    path = world.database
    world.writer.checkpoint()
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xde\xad" * ((size - 4096) // 2))
    world.run(120)
    (aside,) = path.parent.glob("crypto.db.damaged-*[0-9]")
    assert fields(world)["set_aside"] == aside.name
    assert len(world.stored("bitcoin")) > 290
    with open_reader(path) as reader:
        assert len(reader.hourly("bitcoin")) == 168
        assert len(reader.coins()) == 3


def test_a_large_database_is_checked_while_polls_go_on(make_world: Worlds) -> None:
    """Polls start at once; when a damaged page is found later, the store is replaced."""
    world = make_world()
    world.start(coins=COINS)
    world.run(20)
    path = world.database
    world.stop()
    damage_unseen(path)
    world.start(max_checked_bytes=1000)
    assert world.collector.polls.step()
    join_checks()
    world.run(30)
    assert fields(world)["set_aside"]
    assert len(world.stored("bitcoin")) > 280


def test_a_damaged_page_that_no_poll_reads_is_found_within_a_minute(make_world: Worlds) -> None:
    """A full check runs once a minute, and replaces the damaged database."""
    world = make_world()
    world.start(coins=COINS)
    writer = world.writer
    world.run(20)
    writer.checkpoint()
    damage_unseen(writer.path, writer)
    world.run(70)
    join_checks()
    world.run(120)
    (aside,) = writer.path.parent.glob("crypto.db.damaged-*[0-9]")
    assert fields(world)["set_aside"] == aside.name
    assert len(world.stored("bitcoin")) > 280


def test_a_check_of_a_replaced_file_is_ignored(make_world: Worlds) -> None:
    """Several checks that find the same damage set one file aside, and never the new one."""
    world = make_world()
    world.start(coins=COINS)
    writer = world.writer
    world.run(20)
    writer.checkpoint()
    damage_unseen(writer.path, writer)
    for _ in range(3):
        thread = threading.Thread(target=world.collector.check_whole)
        thread.start()
        thread.join()
    world.run(120)
    assert len(list(writer.path.parent.glob("crypto.db.damaged-*[0-9]"))) == 1


def join_checks() -> None:
    """Wait for the full checks in progress."""
    for thread in threading.enumerate():
        if thread.name == "check":
            thread.join()


def damage_unseen(path: Path, writer: SqliteWriter | None = None) -> None:
    """Damage a page that only a full check reads; `writer` is the one that has the file open."""
    whole = path.read_bytes()
    for start in range(4096, len(whole), 4096):
        with path.open("r+b") as file:
            file.seek(start)
            file.write(b"\xde\xad" * 2048)
        with (
            nullcontext(writer) if writer else SqliteWriter(path, max_checked_bytes=0) as opened,
            suppress(DamagedFile),
        ):
            opened.verify()
            with pytest.raises(DamagedFile):
                opened.verify(whole=True)
            return
        with path.open("r+b") as file:
            file.write(whole)
    pytest.fail("every page is looked at anyway")


def test_a_damaged_database_is_replaced_as_soon_as_the_disk_allows(make_world: Worlds) -> None:
    """While no new database can be created, prices stay in memory; then everything is fetched and stored."""
    world = make_world()
    collector = world.start(coins=COINS)
    world.run(20)
    path = world.database
    for part in path.parent.glob("crypto.db*"):
        part.unlink()
    path.mkdir()
    world.run(120)
    assert collector_progress(collector)[0] is ProcessState.STORAGE_REFUSED
    assert fields(world)["unsaved"] > 0
    path.rmdir()
    world.run(20)
    assert collector_progress(collector)[0] is ProcessState.COLLECTING
    assert len(world.stored("bitcoin")) > 280


@pytest.mark.parametrize(
    ("plan", "body"),
    [
        ("keyless", b'{"status":{"error_code":10002,"error_message":"API Key Missing"}}'),
        ("pro-key", b'{"timestamp":"x","error_code":10011,"status":{"error_message":"change your root URL"}}'),
    ],
)
def test_a_refused_key_stops_the_collector(make_world: Worlds, raw_server: Any, plan: str, body: bytes) -> None:
    """Two refusals are a configuration error that names the variable."""
    head = f"HTTP/1.1 401 Unauthorized\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    raw_server.script = [head.encode() + body]
    world = make_world()
    key = "CG-made-up" if plan == "pro-key" else None
    world.start(coins=COINS, coingecko_plan=plan, coingecko_key=key, url=raw_server.url)
    with pytest.raises(CredentialProblem, match="CRYPTO_COINGECKO_PLAN"):
        world.run(60)
    assert len(raw_server.requests) == 2


@pytest.mark.parametrize(("away_s", "stops"), [(10, False), (7200, True)])
def test_a_key_that_worked_a_moment_ago_outlives_a_restart(
    make_world: Worlds, raw_server: Any, away_s: float, stops: bool
) -> None:
    """Two refusals after a crash are the edge's confusion; after hours away they may be a key just changed."""
    body = b'{"status":{"error_code":10002,"error_message":"API Key Missing"}}'
    head = f"HTTP/1.1 401 Unauthorized\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    raw_server.script = [head.encode() + body]
    world = make_world()
    world.start(coins=COINS)
    world.run(20)
    world.stop()
    world.move(away_s)
    world.start(url=raw_server.url)
    with pytest.raises(CredentialProblem) if stops else nullcontext():
        world.run(60)
    assert (len(raw_server.requests) == 2) is stops


def test_an_unknown_currency_stops_the_collector(make_world: Worlds) -> None:
    """CoinGecko's invalid vs_currency is a setting to change."""
    world = make_world()
    world.start(coins=COINS, currency="xyz")
    with pytest.raises(ConfigurationError, match="CRYPTO_CURRENCY"):
        world.run(60)


def test_reais_work_end_to_end(make_world: Worlds) -> None:
    """Prices in brl are several times those in usd."""
    world = make_world()
    world.start(coins=COINS, currency="brl")
    world.run(10)
    assert min(world.stored("bitcoin").values()) > 100_000


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_two_hours_of_storm_store_nothing_wrong_and_lose_no_page(make_world: Worlds, seed: int) -> None:
    """A third of all answers go wrong in every way, bans too; what whole pages carried is stored, and nothing else."""
    world = make_world()
    # the server's Date is of the real now, so the future of this world is not refused
    kinds = [kind for kind in STORM_KINDS if kind not in ("slow_body", "future")]
    plan = FaultPlan([Fault(kind, probability=0.4 / len(kinds), retry_after_s=20) for kind in kinds], seed)
    world.server.faults = plan
    world.start(coins=COINS, calls_per_minute=40)
    whole: list[int] = []
    take = plan.take

    def witness(path: str, now_ms: int) -> Any:
        hits = take(path, now_ms)
        if not hits and path.endswith("markets"):
            whole.append(now_ms)
        return hits

    plan.take = witness  # type: ignore[method-assign]
    world.run(7200)
    while world.server.requests and fields(world)["wait_reason"]:
        world.run(60)
    rows = {coin.id: row for row, coin in enumerate(world.server.market.coins)}
    for coin in COINS.split(","):
        times = np.array(sorted(world.stored(coin)))
        true = world.server.market.prices(np.full(len(times), rows[coin]), times)
        assert list(world.stored(coin).values()) == pytest.approx(true.tolist(), rel=1e-9)
        events = world.server.market.event_times(np.full(len(whole), rows[coin]), np.array(whole))
        assert set(events.tolist()) <= set(times.tolist())
    assert len(plan.fired) > 100
