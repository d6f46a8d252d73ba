"""Hourly changes, correlations and expected against recent moves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.reading.answers import HourAhead
from core.reading.values import Quote
from core.times import HOUR_MS, MINUTE_MS
from dashboard.charts.co_movement import (
    MIN_CHANGES,
    correlations,
    default_coins,
    hourly_changes,
    liveliness,
    mean_move,
)


def ahead(expected: float, percentile: float | None = 50.0) -> HourAhead:
    """The next hour of a coin with this expected move."""
    return HourAhead(100.0, 99.0, 101.0, expected, percentile, None)


def test_changes_go_from_hour_to_hour_and_not_over_gaps() -> None:
    """The price at the end of each hour counts; an hour without a price ends the chain."""
    times = [0, 59 * MINUTE_MS, HOUR_MS, *(hour * HOUR_MS - MINUTE_MS for hour in (2, 3, 5))]
    changes = hourly_changes((times, [1.0, 100.0, 70.0, 110.0, 99.0, 50.0]))
    assert changes == {(1, False): pytest.approx(0.1), (2, False): pytest.approx(-0.1)}


def test_an_hour_without_a_price_near_its_end_has_no_change() -> None:
    """Neither the hour that runs nor one that a gap cuts short counts as a whole one."""
    times = [hour * HOUR_MS - MINUTE_MS for hour in (1, 2, 3)] + [3 * HOUR_MS + 50 * MINUTE_MS]
    assert list(hourly_changes((times, [1.0, 2.0, 3.0, 4.0]))) == [(1, False), (2, False)]


def test_older_hours_are_compared_with_older_hours_alone() -> None:
    """Prices from before the first stored one have changes too, which are no hours of a coin that was stored then."""
    times = [hour * HOUR_MS - MINUTE_MS for hour in range(1, 21)]
    values = [1.0 + 0.01 * (hour * hour % 7) for hour in range(20)]
    stored, joined, other = (hourly_changes((times, values), first_ms) for first_ms in (0, times[10], times[10]))
    assert sorted(stored.keys() & joined.keys()) == [(hour, False) for hour in range(11, 20)]
    assert len(joined.keys() & other.keys()) == len(joined) == 18


@given(
    st.lists(st.floats(-0.1, 0.1), min_size=MIN_CHANGES, max_size=30).filter(
        lambda moves: max(moves) - min(moves) > 1e-6
    )
)
def test_a_coin_goes_with_itself_and_against_its_mirror(moves: list[float]) -> None:
    """Correlations are 1 with itself, -1 with the mirror image, and the same in both orders."""
    coin = {(hour, False): move for hour, move in enumerate(moves)}
    mirror = {hour: -change for hour, change in coin.items()}
    found = correlations({"coin": coin, "mirror": mirror})
    assert found["coin", "coin"] == pytest.approx(1)
    assert found["coin", "mirror"] == found["mirror", "coin"] == pytest.approx(-1)


def test_too_few_common_hours_and_standstill_claim_nothing() -> None:
    """Coins without hours in common, or one that does not move, have no correlation; few changes no mean."""
    moving = {(hour, False): 0.01 * (-1) ** hour for hour in range(10)}
    late = {(hour + 8, is_older): change for (hour, is_older), change in moving.items()}
    found = correlations({"moving": moving, "late": late, "still": dict.fromkeys(moving, 0.0)})
    assert found["moving", "late"] is None
    assert found["moving", "still"] is None
    assert mean_move(moving) == pytest.approx(0.01)
    assert mean_move({(0, False): 0.01}) is None


def test_coins_are_ranked_by_how_unusual_their_next_hour_is() -> None:
    """Three times the usual comes before one time, a coin without a past comes last."""
    usual = {(hour, False): 0.01 for hour in range(10)}
    hours = {"new": ahead(0.5), "calm": ahead(0.01), "agitated": ahead(0.03)}
    rows = liveliness(hours, {"calm": usual, "agitated": usual})
    assert [(row.coin, row.times_normal) for row in rows] == [
        ("agitated", pytest.approx(3)),
        ("calm", pytest.approx(1)),
        ("new", None),
    ]


def test_stablecoins_are_not_chosen_at_first() -> None:
    """What is expected to move by less than 0.04 % an hour is left out; without forecasts all coins count."""
    quotes = [Quote(coin, coin, coin, rank, 1.0, None, 0) for rank, coin in enumerate(("btc", "usdt", "eth", "sol"))]
    hours = {"btc": ahead(0.002), "usdt": ahead(0.0001), "eth": ahead(0.003)}
    assert default_coins(quotes, hours, 3) == ("btc", "eth", "sol")
    assert default_coins(quotes, {}, 2) == ("btc", "usdt")
