"""Cycles follow the polls within moments, whatever was restarted, and stay as rare as the interval says."""

from __future__ import annotations

import random
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import pairwise

import pytest

from model.loop.cycle_schedule import CycleSchedule

INTERVAL_S = 30.0
CYCLE_S = 2.0
LOOK_S = 0.2
START_S = 4.0


def _begins(polls: Sequence[float], until_s: float, restarts: Sequence[float] = (), from_s: float = 0.0) -> list[float]:
    """When cycles begin, with polls that complete at these times and pipelines that are killed at those."""
    now = [from_s]
    begins: list[float] = []
    for end_s in (*restarts, until_s):
        schedule = CycleSchedule(INTERVAL_S, lambda: now[0])
        while now[0] < end_s:
            begins.append(now[0])
            schedule.begin(_newest(polls, now[0]))
            now[0] += CYCLE_S
            schedule.end(complete=True)
            while (wait_s := schedule.wait_s(_newest(polls, now[0]))) > 0 and now[0] < end_s:
                now[0] += min(wait_s, LOOK_S)
        now[0] = end_s + START_S
    return begins


def _newest(polls: Sequence[float], now_s: float) -> str | None:
    number = bisect_right(polls, now_s)
    return str(number) if number else None


def _ages(polls: Sequence[float], begins: Sequence[float]) -> list[float]:
    """Seconds from the completion of each poll to the end of the first cycle that has it."""
    return [begins[bisect_left(begins, poll)] + CYCLE_S - poll for poll in polls]


@pytest.mark.parametrize("seed", range(5))
def test_forecasts_stay_close_behind_polls_after_any_restarts(seed: int) -> None:
    """Over 20 restarts of the pipeline and 5 of the collector, the 95th percentile of the age is at most 5 s."""
    dice = random.Random(seed)
    polls, restarts = [1.0], [100.0]
    while polls[-1] < 9_000:
        polls.append(polls[-1] + INTERVAL_S + (dice.uniform(0, 30) if dice.random() < 1 / 60 else 0))
    polls = [poll + dice.uniform(0, 1.5) for poll in polls]
    while len(restarts) < 20:
        restarts.append(restarts[-1] + dice.uniform(90, 700))
    begins = _begins(polls, 9_600, restarts)
    ages = sorted(_ages(polls, begins))
    assert ages[int(0.95 * len(ages))] <= 5
    assert len(begins) <= 9_600 / INTERVAL_S + 2 * (1 + len(restarts))


@pytest.mark.parametrize("phase_s", [1, 10, 20, 27])
def test_a_pipeline_started_between_two_polls_follows_the_next_one_at_once(phase_s: float) -> None:
    """Every poll after the start is followed within one look, also the first."""
    polls = [INTERVAL_S * number for number in range(1, 20)]
    begins = _begins(polls, 580, from_s=phase_s)
    assert max(_ages(polls, begins)) <= CYCLE_S + LOOK_S + 0.01


def test_a_silent_collector_does_not_stop_the_cycles() -> None:
    """When polls end, the first cycle without one comes within two intervals, the others one interval apart."""
    begins = _begins([10.0, 40.0, 70.0], 400)
    silent = [begin for begin in begins if begin > 75]
    assert silent[0] - 70 <= 2 * INTERVAL_S
    assert {round(later - earlier, 6) for earlier, later in pairwise(silent)} == {INTERVAL_S}


def test_without_any_poll_cycles_come_once_per_interval() -> None:
    """A store that no collector fills is forecast every 30 s, as the setting says."""
    gaps = [later - earlier for earlier, later in pairwise(_begins([], 400))]
    assert gaps == pytest.approx([INTERVAL_S] * len(gaps))


@pytest.mark.parametrize("cadence_s", [7, 20, 40, 45, 60, 75])
def test_any_cadence_of_polls_makes_one_cycle_per_interval_on_average(cadence_s: float) -> None:
    """Faster or slower polls than the interval make at most two cycles more than intervals, and no long pause."""
    polls = [cadence_s * number for number in range(1, int(3000 / cadence_s))]
    begins = _begins(polls, 3000)
    for first, begin in enumerate(begins):
        within = [later for later in begins[first:] if later < begin + 600]
        assert len(within) <= 600 / INTERVAL_S + 3
    assert max(later - earlier for earlier, later in pairwise(begins)) <= 2 * INTERVAL_S + LOOK_S


def test_a_slow_poll_delays_nothing_after_it() -> None:
    """A poll that comes 20 s late gets its cycle at once, and so does the next one, 10 s later, again and again."""
    polls = [INTERVAL_S * number + (20 if number % 4 == 2 else 0) for number in range(1, 60)]
    begins = _begins(polls, 1_790)
    assert max(_ages(polls, begins)) <= CYCLE_S + LOOK_S + 0.01


def test_until_every_coin_has_a_forecast_cycles_follow_each_other() -> None:
    """An incomplete cycle is repeated after two seconds and uses up nothing of the interval."""
    now = [0.0]
    schedule = CycleSchedule(INTERVAL_S, lambda: now[0])
    for _ in range(20):
        schedule.begin(None)
        schedule.end(complete=False)
        assert schedule.wait_s(None) == pytest.approx(2)
        now[0] += 2
    schedule.begin(None)
    schedule.end(complete=True)
    assert schedule.wait_s("poll") <= 0
