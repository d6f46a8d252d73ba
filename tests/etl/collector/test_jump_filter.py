"""Jumps wait for two agreeing polls; spikes leave no trace; crashes survive."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.price_store import Price
from etl.collector.jump_filter import JumpFilter, contradicts, plausible_series, supported

CADENCE_S = 30.0


def quote(number: int, price: float) -> Price:
    """The quote of poll `number`, 30 s after the one before, with an event time of its own."""
    return Price("bitcoin", 1_000_000 + number * 30_000, price, None, None, 1_000_500 + number * 30_000)


def judged(prices: list[float]) -> list[float]:
    """What is accepted, in order, of one quote a poll."""
    jump_filter = JumpFilter()
    return [
        accepted.price
        for number, price in enumerate(prices)
        for accepted in jump_filter.accept(quote(number, price), CADENCE_S)
    ]


def test_a_spike_that_returns_leaves_no_trace() -> None:
    """One or two polls at ten times the price are dropped when the price is back."""
    assert judged([100, 1000, 101, 102]) == [100, 101, 102]
    assert judged([100, 1000, 1010, 102]) == [100, 102]


def test_a_price_back_at_the_old_level_drops_held_prices() -> None:
    """Two polls of a later jump are not confirmed by a spike that had returned before."""
    assert judged([100, 1000, 101, 1005, 1010]) == [100, 101]


def test_a_jump_is_stored_whole_once_two_further_polls_agree() -> None:
    """A move of 40 % that stays comes out with all three quotes, in order, at the third poll."""
    jump_filter = JumpFilter()
    jump_filter.accept(quote(0, 100), CADENCE_S)
    assert jump_filter.accept(quote(1, 60), CADENCE_S) == []
    assert jump_filter.accept(quote(2, 61), CADENCE_S) == []
    assert jump_filter.unconfirmed == ["bitcoin"]
    assert jump_filter.accept(quote(3, 59), CADENCE_S) == [quote(1, 60), quote(2, 61), quote(3, 59)]
    assert jump_filter.unconfirmed == []


def test_a_move_of_thirty_percent_is_accepted_at_once() -> None:
    """Moves of just 30 % up and down are accepted at once."""
    assert judged([100, 130, 91]) == [100, 130, 91]


def test_a_crash_in_steps_is_stored_with_the_steps_on_the_way() -> None:
    """While the price still falls the polls disagree; at the bottom everything on the way is accepted."""
    assert judged([100, 65, 50, 40, 39, 41]) == [100, 65, 50, 40, 39, 41]


def test_a_spike_during_a_crash_is_not_on_the_way() -> None:
    """Of what is held, only prices between the old and the new level are accepted."""
    assert judged([100, 60, 600, 61, 59]) == [100, 60, 61, 59]


def test_a_cached_quote_repeats_and_does_not_confirm() -> None:
    """The same event time in three polls is one quote."""
    jump_filter = JumpFilter()
    jump_filter.accept(quote(0, 100), CADENCE_S)
    for number in range(1, 5):
        cached = quote(1, 1000)._replace(fetched_ms=quote(number, 1).fetched_ms)
        assert jump_filter.accept(cached, CADENCE_S) == []


def test_polls_closer_than_a_cadence_do_not_confirm() -> None:
    """Three quotes fetched within a second are one poll's worth of evidence."""
    jump_filter = JumpFilter()
    jump_filter.accept(quote(0, 100), CADENCE_S)
    for number in range(1, 4):
        hurried = quote(number, 60)._replace(fetched_ms=2_000_000 + number * 300)
        assert jump_filter.accept(hurried, CADENCE_S) == []


def test_a_stale_quote_at_the_old_level_does_not_drop_held_prices() -> None:
    """An edge that still serves the price from before the jump is no evidence that it went back."""
    jump_filter = JumpFilter()
    jump_filter.accept(quote(0, 100), CADENCE_S)
    jump_filter.accept(quote(2, 60), CADENCE_S)
    assert jump_filter.accept(quote(1, 101), CADENCE_S) == [quote(1, 101)]
    jump_filter.accept(quote(3, 60), CADENCE_S)
    assert len(jump_filter.accept(quote(4, 60), CADENCE_S)) == 3


def test_a_first_price_far_from_the_reference_is_held() -> None:
    """A first price ten times the sparkline's is held, and dropped when the next is not."""
    jump_filter = JumpFilter()
    jump_filter.expect_near("bitcoin", 100)
    assert jump_filter.accept(quote(0, 1000), CADENCE_S) == []
    assert jump_filter.accept(quote(1, 101), CADENCE_S) == [quote(1, 101)]


def test_held_prices_survive_a_restart() -> None:
    """Held quotes are taken up again and confirmed by the polls after the restart."""
    jump_filter = JumpFilter()
    jump_filter.accept(quote(0, 100), CADENCE_S)
    jump_filter.accept(quote(1, 60), CADENCE_S)
    restarted = JumpFilter()
    restarted.reset_level(quote(0, 100), CADENCE_S)
    restarted.load_state(jump_filter.dump_state())
    restarted.accept(quote(2, 60), CADENCE_S)
    assert len(restarted.accept(quote(3, 60), CADENCE_S)) == 3


def test_a_back_fill_at_the_new_level_releases_held_prices() -> None:
    """After a newer back-filled price at the new level, the held quote is within the limit."""
    jump_filter = JumpFilter()
    jump_filter.accept(quote(0, 100), CADENCE_S)
    jump_filter.accept(quote(9, 60), CADENCE_S)
    assert jump_filter.reset_level(quote(8, 62), CADENCE_S) == [quote(9, 60)]


def test_a_series_far_off_the_prices_of_its_time_is_contradicted() -> None:
    """Ten times too high where prices are known is not believed; a single row is no verdict, nor is silence."""
    known = [(quote(number, 100).ts_ms, 100.0) for number in range(5)]
    assert contradicts([quote(number, 1000) for number in range(5)], known)
    assert not contradicts([*(quote(number, 110) for number in range(4)), quote(4, 1000)], known)
    assert not contradicts([quote(100, 1000)], known)
    assert not contradicts([quote(0, 1000)], [])
    assert not contradicts([], known)


def test_only_prices_of_about_the_same_time_support() -> None:
    """Within five minutes and 10 %."""
    known = [(quote(0, 60).ts_ms, 60.0), (quote(100, 60).ts_ms, 60.0)]
    prices = [quote(1, 61), quote(2, 70), quote(50, 60), quote(99, 62), quote(110, 60), quote(111, 60)]
    assert supported(prices, known) == [quote(1, 61), quote(99, 62), quote(110, 60)]


@pytest.mark.parametrize(
    ("series", "kept"),
    [
        ([100, 1000, 101, 102], [100, 101, 102]),
        ([100, 1000, 1001, 101, 102, 103], [100, 101, 102, 103]),
        ([100, 101, 60, 61, 62], [60, 61, 62]),
        ([100, 101, 102, 60, 61, 62], [100, 101, 102, 60, 61, 62]),
        ([100, 101, 102, 68, 40, 41, 42], [100, 101, 102, 68, 40, 41, 42]),
        ([1000, 100, 101, 102], [100, 101, 102]),
        ([100, 101, 102, 1000], [100, 101, 102]),
        ([100, 101], [100, 101]),
        ([], []),
    ],
)
def test_a_series_loses_its_spikes_and_keeps_its_crashes(series: list[float], kept: list[float]) -> None:
    """Isolated prices go, levels of three and steps on the way stay; doubtful ends go too."""
    prices = [quote(number, price) for number, price in enumerate(series)]
    assert [price.price for price in plausible_series(prices)] == kept


@given(
    walk=st.lists(st.floats(0.95, 1.05), min_size=6, max_size=60),
    spikes=st.dictionaries(st.integers(1, 58), st.sampled_from([0.0001, 0.1, 10.0, 1000.0]), max_size=8),
)
def test_isolated_spikes_are_never_accepted_and_nothing_else_is_lost(
    walk: list[float], spikes: dict[int, float]
) -> None:
    """In a calm market every true quote comes out once, whatever single spikes lie between."""
    true, level = [], 100.0
    for step in walk:
        level = min(max(level * step, 90.0), 110.0)
        true.append(level)
    isolated = {
        at: factor for at, factor in spikes.items() if at < len(true) and at - 1 not in spikes and at - 2 not in spikes
    }
    seen = [price * isolated.get(number, 1.0) for number, price in enumerate(true)]
    assert judged(seen) == [price for number, price in enumerate(true) if number not in isolated]


@given(st.lists(st.floats(1e-12, 1e12), max_size=80))
def test_nothing_is_accepted_twice_or_invented(prices: list[float]) -> None:
    """Whatever comes, each accepted quote is one that came, and comes out once."""
    jump_filter = JumpFilter()
    quotes = [quote(number, price) for number, price in enumerate(prices)]
    accepted = [price for one in quotes for price in jump_filter.accept(one, CADENCE_S)]
    assert len(accepted) == len(set(accepted))
    assert set(accepted) <= set(quotes)
