"""Places of coins: as few as possible, and never one that a coin may still come back to."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from core.times import DAY_MS
from etl.features.roster import Roster

START_MS = 1_700_000_100_000
KEPT_DAYS = 3
HALF_DAY_MS = DAY_MS // 2

coins = st.sampled_from([f"coin{number}" for number in range(12)])
markets = st.lists(st.lists(coins, min_size=1, max_size=5, unique=True), min_size=1, max_size=40)


@given(markets)
def test_a_place_changes_hands_only_after_its_coin_was_gone_long_enough(market: list[list[str]]) -> None:
    """Of coins collected each half day: whoever was there within the kept days has its place, and nobody else's."""
    roster = Roster(KEPT_DAYS - 1)
    seen_ms: dict[str, int] = {}
    places: dict[str, int] = {}
    for step, collected in enumerate(market):
        now_ms = START_MS + step * HALF_DAY_MS
        before = dict(places)
        taken = roster.enrol(collected, now_ms)
        seen_ms |= dict.fromkeys(collected, now_ms)
        places = {coin: roster.place(coin) for coin in seen_ms if coin in roster}
        assert sorted(places.values()) == list(range(len(roster)))
        assert set(collected) <= places.keys()
        assert roster.left_ms.keys() == places.keys() - set(collected)
        lately = {coin for coin, ts_ms in seen_ms.items() if now_ms - ts_ms <= KEPT_DAYS * DAY_MS}
        assert lately <= places.keys()
        assert {coin: places[coin] for coin in before if coin in places} == {
            coin: place for coin, place in before.items() if coin in places
        }
        assert {before[coin] for coin in before.keys() - places.keys()} == set(taken)


@given(markets)
def test_there_are_no_more_places_than_coins_of_any_kept_days(market: list[list[str]]) -> None:
    """However many coins come and go: a new place is made only while all others are held."""
    roster = Roster(KEPT_DAYS - 1)
    most = 0
    window = 2 * KEPT_DAYS + 2
    for step, collected in enumerate(market):
        roster.enrol(collected, START_MS + step * HALF_DAY_MS)
        most = max(most, len({coin for past in market[max(0, step + 1 - window) : step + 1] for coin in past}))
        assert len(roster) <= most


@given(markets, st.integers(0, 39))
def test_a_stored_roster_goes_on_as_it_would_have(market: list[list[str]], cut: int) -> None:
    """Made again from its coins and departures at any time, it gives the same places."""
    whole = resumed = Roster(KEPT_DAYS - 1)
    for step, collected in enumerate(market):
        if step == cut:
            resumed = Roster(KEPT_DAYS - 1, tuple(whole.coins), dict(whole.left_ms))
        for roster in (whole, resumed):
            roster.enrol(collected, START_MS + step * HALF_DAY_MS)
        assert resumed.coins == whole.coins
        assert resumed.left_ms == whole.left_ms


def test_a_clock_that_was_ahead_holds_no_place_for_longer() -> None:
    """A coin seen to leave by a clock that was a month ahead is gone so many days after the clock was right again."""
    roster = Roster(KEPT_DAYS - 1)
    roster.enrol(["old", "other"], START_MS)
    roster.enrol(["other"], START_MS + 30 * DAY_MS)
    roster.enrol(["other"], START_MS)
    assert roster.enrol(["other", "early"], START_MS + KEPT_DAYS * DAY_MS) == []
    assert roster.enrol(["other", "early", "late"], START_MS + KEPT_DAYS * DAY_MS + 1) == [0]
    assert roster.coins == ["late", "other", "early"]
    assert roster.known_place("old") == 0
