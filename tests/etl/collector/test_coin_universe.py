"""The coins that are collected: named, or the largest ones; in portions that fit an address line."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from core.errors import BadReply
from core.settings import Settings, Source
from core.times import DAY_MS, HOUR_MS
from etl.collector.coin_universe import Universe

MakeSettings = Callable[..., Settings]
URL = "http://127.0.0.1:9/api/v3"


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    ids=st.lists(st.text("abcdefgh-", min_size=1, max_size=90), min_size=1, max_size=600, unique=True),
    shortenings=st.integers(0, 6),
)
def test_batches_carry_every_id_once_within_both_limits(
    collector_settings: MakeSettings, ids: list[str], shortenings: int
) -> None:
    """At most 250 ids and 5,000 characters each, fewer after refusals, in the order of the ids."""
    universe = Universe(collector_settings(URL, coins="bitcoin"))
    universe.ids = tuple(ids)
    for _ in range(shortenings):
        universe.shorten()
    batches = universe.batches()
    assert [coin for batch in batches for coin in batch] == sorted(ids)
    assert all(len(batch) <= 250 for batch in batches)
    assert all(len(",".join(batch)) <= max(5000 // 2**shortenings, 300) for batch in batches)


def test_the_n_largest_are_a_set_of_ids_over_all_pages(collector_settings: MakeSettings) -> None:
    """A coin that moved from page 1 to page 2 counts once."""
    universe = Universe(collector_settings(URL, coins="top:3"))
    assert universe.is_due(0)
    assert not universe.add_page(["a", "b"], is_last=False, wall_ms=0)
    assert universe.next_page == 2
    assert universe.add_page(["b", "c", "d"], is_last=False, wall_ms=7)
    assert universe.ids == ("a", "b", "c")
    assert not universe.is_due(7 + DAY_MS - 1)
    assert universe.is_due(7 + DAY_MS)


def test_a_failed_look_up_leaves_the_list_in_force_for_an_hour(collector_settings: MakeSettings) -> None:
    """Polls go on with yesterday's coins."""
    universe = Universe(collector_settings(URL, coins="top:2"))
    universe.add_page(["a", "b"], is_last=True, wall_ms=0)
    universe.postpone(DAY_MS)
    assert universe.ids == ("a", "b")
    assert not universe.is_due(DAY_MS + 3_599_999)
    assert universe.is_due(DAY_MS + 3_600_000)


def test_an_empty_market_is_looked_up_again(collector_settings: MakeSettings) -> None:
    """No coin at all is no list."""
    universe = Universe(collector_settings(URL, coins="top:2"))
    with pytest.raises(BadReply):
        universe.add_page([], is_last=True, wall_ms=0)
    universe.postpone(0)
    assert universe.is_due(0)


def test_a_shorter_list_replaces_no_longer_one(collector_settings: MakeSettings) -> None:
    """A page that comes empty drops no coin; a market of fewer than N coins has a list all the same, for an hour."""
    universe = Universe(collector_settings(URL, coins="top:4"))
    assert universe.add_page(["a", "b", "c"], is_last=True, wall_ms=0)
    assert not universe.is_due(HOUR_MS - 1)
    assert universe.is_due(HOUR_MS)
    assert not universe.add_page(["a", "b"], is_last=False, wall_ms=HOUR_MS)
    with pytest.raises(BadReply):
        universe.add_page([], is_last=True, wall_ms=HOUR_MS)
    universe.postpone(HOUR_MS)
    assert universe.ids == ("a", "b", "c")
    assert universe.add_page(["b", "a", "d"], is_last=True, wall_ms=2 * HOUR_MS)
    assert universe.ids == ("b", "a", "d")


@pytest.mark.parametrize(("coins", "recalled"), [("top:2", ("a", "b")), ("top:3", ()), ("bitcoin", ("bitcoin",))])
def test_the_list_is_taken_up_again_for_the_same_n(
    collector_settings: MakeSettings, coins: str, recalled: tuple[str, ...]
) -> None:
    """After a restart with another choice the old list counts for nothing."""
    before = Universe(collector_settings(URL, coins="top:2"))
    before.add_page(["a", "b"], is_last=True, wall_ms=5)
    universe = Universe(collector_settings(URL, coins=coins))
    universe.load_state(before.dump_state())
    assert universe.ids == recalled


def test_a_replay_of_which_no_coins_were_named_is_collected_whole(collector_settings: MakeSettings) -> None:
    """The server's list decides."""
    settings = collector_settings(URL).model_copy(update={"source": Source.REPLAY, "coins": None})
    universe = Universe(settings)
    assert universe.is_due(0)
    assert universe.add_page(["a", "b"], is_last=True, wall_ms=0)
    assert universe.ids == ("a", "b")
