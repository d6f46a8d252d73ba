"""A poll is marked in the store when its last page is stored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from core.errors import BadReply, RequestRefused, SourceError
from core.price_store import open_reader
from core.price_store.rows import POLLED
from core.processes.health_schema import PollOutcome
from core.times import DAY_MS, HOUR_MS
from etl.coingecko.client import PER_PAGE, MarketsPage
from etl.collector.collector import Collector
from etl.local_market.coin_names import coins_wanted
from tests.support.collector_worlds import Worlds, fields
from tests.support.faults import Fault, FaultPlan


def test_a_poll_of_several_pages_is_marked_once_all_are_stored(make_world: Callable[..., Any]) -> None:
    """After the first of two pages there is no mark; after the second there is one, and all coins have prices."""
    world = make_world(market="top:100")
    collector = world.start(coins=",".join(coin.id for coin in coins_wanted("top:100")))
    in_small_batches(collector)
    pages = len(collector.context.universe.batches())
    assert pages > 1
    marks = []
    for _ in range(pages):
        collector.turn()
        with open_reader(world.database) as reader:
            marks.append(reader.meta().get(POLLED))
            known = len(reader.latest())
    assert marks == [None] * (pages - 1) + [str(world.wall_ms)]
    assert known == 100


def test_a_look_up_that_fails_half_way_keeps_no_page(make_world: Callable[..., Any]) -> None:
    """The next look-up starts at the first page. Its old quotes are not stored: newer ones were polled since."""
    world = make_world(market="top:260")
    polls = world.start(coins="top:260").polls
    steps: list[bool] = []

    def step(count: int) -> None:
        for _ in range(count):
            world.move(5)
            steps.append(polls.step())

    step(4)
    world.move(DAY_MS / 1000)
    step(1)
    world.server.faults = FaultPlan([Fault("server_error")])
    step(1)
    world.server.faults = FaultPlan()
    step(2)
    world.move(HOUR_MS / 1000)
    step(2)
    assert steps == [True] * 5 + [False] + [True] * 4
    with open_reader(world.database) as reader:
        assert len(reader.coins()) == PER_PAGE + 10
        assert {coin.revision for coin in reader.coins()} == {0}


def test_an_empty_list_of_the_largest_coins_is_a_failed_call(make_world: Worlds) -> None:
    """It is asked for again in an hour, and polls go on with the coins of yesterday."""
    world = make_world(market="top:5")
    collector = world.start(coins="top:5")
    world.run(30)
    world.move(DAY_MS / 1000)
    world.server.faults = FaultPlan([Fault("empty_list", times=1, path="markets")])
    before = len(world.server.requests)
    world.run(30)
    asked = [request for request in list(world.server.requests)[before:] if "ids" not in request.query]
    assert len([request for request in asked if request.path.endswith("markets")]) == 1
    assert fields(world)["polls"][PollOutcome.BAD_REPLY] == 1
    assert len(collector.context.universe.ids) == 5
    assert max(world.stored("bitcoin")) > world.wall_ms - 10_000


def test_coins_that_are_all_missing_stop_no_others(make_world: Worlds) -> None:
    """Misspelt names that fill a request of their own are named as missing; the other requests bring their prices."""
    misspelt = [f"zz-{number}-{'z' * 50}" for number in range(8)]
    world = make_world()
    collector = world.start(coins=",".join(["bitcoin", "ethereum", *misspelt]))
    in_small_batches(collector)
    world.run(60)
    assert len(world.stored("bitcoin")) > 10
    assert set(misspelt) <= set(fields(world)["missing"])
    assert fields(world)["wait_reason"] is None
    assert fields(world)["polls"][PollOutcome.BAD_REPLY] == 1


@pytest.mark.parametrize("kind", [RequestRefused, BadReply])
@pytest.mark.parametrize("bad", ["aa", "zz"])
def test_a_request_that_always_fails_stops_no_other(
    make_world: Worlds, monkeypatch: pytest.MonkeyPatch, kind: type[SourceError], bad: str
) -> None:
    """Polls come every half minute and a few seconds of back-off, and ask for its coins twice; back-fill goes on."""
    world = make_world()
    ids = ["bitcoin", *(f"{bad}-{number}-{'z' * 50}" for number in range(8))]
    collector = world.start(coins=",".join(ids), interval=30)
    in_small_batches(collector)
    collector.context.backfill_queue.keep(["bitcoin"])
    markets, asked = collector.context.api.markets, Counter[str]()

    def answer(ids: Sequence[str], *, sparkline: bool = False) -> MarketsPage:
        asked["other" if "bitcoin" in ids else "bad"] += 1
        if "bitcoin" not in ids:
            raise kind("a bad request")
        page: MarketsPage = markets(ids, sparkline=sparkline)
        return page

    monkeypatch.setattr(collector.context.api, "markets", answer)
    world.run(600)
    assert len(collector.context.universe.batches()) == 2
    assert 17 <= asked["other"] <= 20
    assert abs(asked["bad"] - 2 * asked["other"]) <= 2
    assert max(world.stored("bitcoin")) > world.wall_ms - 40_000
    assert fields(world)["polls"][PollOutcome.ANSWERED] == asked["other"]
    assert collector.context.backfill_queue.next is None


def in_small_batches(collector: Collector) -> None:
    """Let requests be as short as they may be."""
    for _ in range(9):
        collector.context.universe.shorten()


def test_a_look_up_after_a_long_sleep_repairs_the_gap(make_world: Worlds) -> None:
    """The list is due on waking, so the look-up brings the first prices: the hours asleep are fetched all the same."""
    world = make_world()
    collector = world.start(coins="top:2")
    world.run(60)
    world.wall_ms += 25 * HOUR_MS
    world.run(60)
    for coin in collector.context.universe.ids:
        assert len([ts_ms for ts_ms in world.stored(coin) if ts_ms > world.wall_ms - 23 * HOUR_MS]) > 270


def test_coins_enter_and_leave_the_list_without_a_restart(make_world: Callable[..., Any]) -> None:
    """Months later others are among the largest: they are back-filled; those that left keep their prices alone."""
    world = make_world(market="top:20")
    collector = world.start(coins="top:10")
    world.run(60)
    first = now = set(collector.context.universe.ids)
    for _ in range(60):
        world.move(30 * DAY_MS / 1000)
        world.run(60)
        now = set(collector.context.universe.ids)
        if now != first:
            break
    assert set(collector.context.intake.newest) == now
    with open_reader(world.database) as reader:
        assert {coin.id for coin in reader.coins()} == now != first
        assert len(now) == len(first) == 10
        for entered in now - first:
            newest_ms = reader.latest()[entered].ts_ms
            assert reader.count(entered, newest_ms - DAY_MS, newest_ms) > 200
        for left in first - now:
            assert reader.count(left, 0, world.wall_ms) > 200
