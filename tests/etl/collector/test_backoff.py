"""Orders to wait are obeyed to the second; without one the back-off is jittered and bounded."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import BadReply, Banned, ForecastingError, RateLimited, RequestRefused, SourceUnavailable
from etl.collector.backoff import BAN_S, ConfigurationRefusals, Slowdown, wait_after

JITTER = random.Random(1)


@pytest.mark.parametrize("asked_s", [1.0, 53.0, 59.0, 119.0])
def test_a_rate_limit_silences_everybody_for_as_long_as_it_says(asked_s: float) -> None:
    """Retry-After is neither shortened nor stretched."""
    wait = wait_after(RateLimited("429", asked_s), 1, 30, JITTER)
    assert (wait.seconds, wait.for_all) == (asked_s, True)


def test_an_absurd_order_is_obeyed_for_an_hour() -> None:
    """A Retry-After of thirty years does not end the collection."""
    assert wait_after(RateLimited("429", 1e9), 1, 30, JITTER).seconds == 3600


def test_a_ban_lasts_ten_minutes_for_everybody() -> None:
    """Nothing is asked for ten minutes after a ban page."""
    wait = wait_after(Banned("1015"), 1, 30, JITTER)
    assert (wait.seconds, wait.for_all) == (BAN_S, True) == (600, True)


@given(
    failures=st.integers(1, 10_000),
    cap_s=st.floats(30, 600),
    error=st.sampled_from(
        [SourceUnavailable("x"), BadReply("x"), RequestRefused("x"), RateLimited("x")],
    ),
)
def test_the_back_off_never_exceeds_its_cap(failures: int, cap_s: float, error: ForecastingError) -> None:
    """However often it failed, the next try comes within the cap, and not at once."""
    assert 1 <= wait_after(error, failures, cap_s, JITTER).seconds <= cap_s


def test_the_back_off_is_jittered() -> None:
    """Two clients that failed together do not come back together."""
    waits = {wait_after(SourceUnavailable("x"), 9, 30, JITTER).seconds for _ in range(20)}
    assert len(waits) == 20


def test_polls_slow_down_step_by_step_and_recover() -> None:
    """A first 429 costs its wait alone; more of them make polls slower, up to four times; good polls undo it."""
    slowdown = Slowdown()
    for expected in (1, 2, 3, 4, 4):
        slowdown.throttled()
        assert slowdown.factor == expected
    for _ in range(12):
        slowdown.went_well()
    assert slowdown.factor == 1


def test_rare_rate_limits_do_not_add_up() -> None:
    """One 429 in five polls leaves the cadence as it is."""
    slowdown = Slowdown()
    for _ in range(20):
        slowdown.throttled()
        for _ in range(4):
            slowdown.went_well()
    assert slowdown.factor == 1


def test_a_refused_key_is_believed_the_second_time() -> None:
    """Before anything was ever answered, two refusals in a row are final."""
    refusals = ConfigurationRefusals()
    assert not refusals.refused(0)
    assert refusals.refused(3)


def test_other_failures_in_between_count_against_a_refusal() -> None:
    """A storm of all kinds of failures never adds up to a refused key."""
    refusals = ConfigurationRefusals()
    for now in range(100):
        assert not refusals.refused(now)
        refusals.failed_otherwise()


def test_a_key_that_worked_is_asked_for_ever_more_rarely() -> None:
    """Once the source has answered no refusal is final; after ten minutes of them it is asked less, at last hourly."""
    refusals = ConfigurationRefusals()
    refusals.answered()
    now, asked = 0.0, []
    for _ in range(40):
        assert not refusals.refused(now)
        asked.append(refusals.pause_s())
        now += max(asked[-1], 30.0)
    assert asked[:20] == [0.0] * 20
    assert asked[20:] == [600.0, 1200.0, 2400.0, *[3600.0] * 17]
    refusals.answered()
    assert not refusals.refused(now)
    assert refusals.pause_s() == 0.0


def test_an_outage_among_refusals_neither_counts_nor_begins_anew() -> None:
    """Refusals of twenty minutes with an outage of a day in between: the next call comes twenty minutes later."""
    refusals = ConfigurationRefusals()
    refusals.answered()
    refusals.refused(0)
    refusals.refused(600)
    refusals.failed_otherwise()
    refusals.refused(87_000)
    refusals.refused(87_600)
    assert refusals.pause_s() == 1200
