"""The call budget is never exceeded, polls come first, and a restart forgets nothing."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.settings import Plan, Settings, load_settings
from core.times import parse_iso
from core.wording import Message
from etl.collector.call_budget import CallBudget, Clock, Limits, limits_of

MID_MONTH_MS = parse_iso("2026-06-15T12:00:00Z")


@dataclass
class Hands:
    """A clock that is moved by hand; the wall clock can be set on its own."""

    seconds: float = 1000.0
    wall_ms: int = MID_MONTH_MS

    def clock(self) -> Clock:
        """These hands as a clock."""
        return Clock(lambda: self.seconds, lambda: self.wall_ms)

    def move(self, seconds: float) -> None:
        """Let time pass."""
        self.seconds += seconds
        self.wall_ms += round(seconds * 1000)


def settings(plan: Plan, calls_per_minute: float | None = None) -> Settings:
    """Settings of one plan; the key is made up."""
    key = "CG-made-up" if plan in (Plan.DEMO_KEY, Plan.PRO_KEY) else None
    return load_settings(coingecko_plan=plan, coingecko_key=key, calls_per_minute=calls_per_minute)


@pytest.mark.parametrize(
    ("plan", "per_minute", "limits"),
    [
        (Plan.KEYLESS, None, Limits(5, 60.0)),
        (Plan.DEMO_KEY, None, Limits(30, 60.0, 10_000, 300.0)),
        (Plan.PRO_KEY, None, Limits(200, 60.0)),
        (Plan.LOCAL, None, Limits(None, 60.0)),
        (Plan.KEYLESS, 2.5, Limits(2, 48.0)),
        (Plan.KEYLESS, 0.5, Limits(1, 120.0)),
    ],
)
def test_each_plan_has_its_limits(plan: Plan, per_minute: float | None, limits: Limits) -> None:
    """Plans have their own limits; a limit of one's own keeps its rate."""
    assert limits_of(settings(plan, per_minute)) == limits


@given(st.lists(st.tuples(st.floats(0, 40), st.floats(0, 20)), min_size=1, max_size=60))
def test_no_window_of_a_minute_ever_holds_more_than_the_limit(steps: list[tuple[float, float]]) -> None:
    """A caller that waits as told never makes a sixth call within 60 s of an earlier one's end."""
    hands = Hands()
    budget = CallBudget(Limits(5), hands.clock())
    spans: list[tuple[float, float]] = []
    for pause, length in steps:
        hands.move(pause)
        hands.move(budget.delay_s())
        start = hands.seconds
        budget.start()
        hands.move(length)
        budget.finish()
        spans.append((start, hands.seconds))
    for index in range(5, len(spans)):
        assert spans[index][0] - spans[index - 5][1] >= 60 - 1e-6


def test_back_fill_takes_three_calls_a_minute_and_delays_no_poll() -> None:
    """Keyless at 30 s: two polls and three back-fills a minute, and no poll more than two seconds late."""
    hands = Hands()
    budget = CallBudget(Limits(5), hands.clock())
    poll_at, lateness, polls, fills = hands.seconds, 0.0, 0, 0
    begin = hands.seconds
    while hands.seconds < begin + 300:
        if hands.seconds >= poll_at and budget.delay_s() <= 0:
            lateness = max(lateness, hands.seconds - poll_at)
            poll_at += 30
            polls += 1
        elif hands.seconds < poll_at and budget.background_delay_s(poll_at - hands.seconds, 30, 1) <= 0:
            fills += 1
        else:
            hands.move(0.1)
            continue
        budget.start()
        hands.move(0.4)
        budget.finish()
    assert polls == 10
    assert fills in (14, 15)
    assert lateness <= 2.0


def test_what_a_restart_interrupts_still_counts() -> None:
    """After a restart the calls of the last minute and the month, and an order to wait, are in force."""
    hands = Hands()
    budget = CallBudget(Limits(5, per_month=100), hands.clock())
    for _ in range(5):
        budget.start()
        budget.finish()
    budget.block(119, Message("limite"))
    hands.move(7)
    remembered = budget.dump_state()
    hands.move(3)
    hands.seconds = 5.0
    restarted = CallBudget(Limits(5, per_month=100), hands.clock())
    restarted.load_state(remembered)
    assert restarted.calls_month == 5
    assert restarted.calls_minute == 5
    assert restarted.blocked_for_s == pytest.approx(109, abs=0.01)
    assert restarted.block_reason == Message("limite")


@pytest.mark.parametrize("shift_s", [-3600, 3600])
def test_a_clock_set_between_two_runs_neither_frees_calls_for_ever_nor_blocks_for_ever(shift_s: int) -> None:
    """What is read back never reaches beyond the window or the block that was in force."""
    hands = Hands()
    budget = CallBudget(Limits(5), hands.clock())
    budget.start()
    budget.finish()
    budget.block(60, Message("limite"))
    remembered = budget.dump_state()
    hands.wall_ms += shift_s * 1000
    restarted = CallBudget(Limits(5), hands.clock())
    restarted.load_state(remembered)
    assert 0 <= restarted.delay_s() <= 60


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"month": 1}', "not json"])
def test_what_cannot_be_read_back_changes_nothing(text: str) -> None:
    """A damaged memory of the budget is refused whole."""
    budget = CallBudget(Limits(5), Hands().clock())
    with pytest.raises((ValueError, TypeError, LookupError)):
        budget.load_state(text)
    assert budget.delay_s() == 0


def test_a_longer_block_is_not_cut_short() -> None:
    """A second, shorter order to wait leaves the first in force."""
    hands = Hands()
    budget = CallBudget(Limits(), hands.clock())
    budget.block(600, Message("bloqueio"))
    budget.block(5, Message("limite"))
    hands.move(599)
    assert budget.delay_s() == pytest.approx(1)


def test_a_spent_month_waits_for_the_next_one() -> None:
    """The 10,001st call waits for the first of July, and then the count begins again."""
    hands = Hands()
    budget = CallBudget(Limits(30, per_month=3), hands.clock())
    for _ in range(3):
        budget.start()
        budget.finish()
    wait_s = budget.delay_s()
    assert wait_s == (parse_iso("2026-07-01") - MID_MONTH_MS) / 1000
    hands.move(wait_s)
    assert budget.delay_s() == 0
    assert budget.calls_month == 0


@pytest.mark.parametrize("wrong", ["1970-01-01", "2026-05-31", "2026-07-01", "2027-06-15"])
@pytest.mark.parametrize("restarted", [False, True])
def test_a_clock_that_was_wrong_for_a_time_leaves_the_count_of_the_month(wrong: str, restarted: bool) -> None:
    """Back at the right time, the month's calls are as before; the next month, and that of a year later, are whole."""
    hands = Hands()
    budget = CallBudget(Limits(per_month=3), hands.clock())
    for wall_ms in (MID_MONTH_MS, MID_MONTH_MS, parse_iso(wrong)):
        hands.wall_ms = wall_ms
        budget.start()
        budget.finish()
    if restarted:
        state, budget = budget.dump_state(), CallBudget(budget.limits, hands.clock())
        budget.load_state(state)
    hands.wall_ms = MID_MONTH_MS
    assert budget.calls_month == 2
    for number in range(7, 19):
        hands.wall_ms = parse_iso(f"{2026 + (number - 1) // 12}-{(number - 1) % 12 + 1:02d}-15")
        assert budget.delay_s() == 0
        assert budget.calls_month == (wrong[:7] == "2026-07" and number == 7)
        budget.start()
        budget.finish()


def test_the_count_of_an_older_release_is_read() -> None:
    """It wrote one month and its calls."""
    budget = CallBudget(Limits(per_month=3), Hands().clock())
    state = json.loads(budget.dump_state())
    budget.load_state(json.dumps({**state, "month": "2026-06", "calls": 3}))
    assert budget.calls_month == 3
    assert budget.delay_s() > 0


def test_a_month_of_a_demo_key_suffices_for_polls_every_five_minutes() -> None:
    """From the first to the last second of a month of 31 days the budget holds, and the cadence stays near 300 s."""
    hands = Hands(wall_ms=parse_iso("2026-07-01"))
    budget = CallBudget(limits_of(settings(Plan.DEMO_KEY)), hands.clock())
    end_ms = parse_iso("2026-08-01")
    slowest = 0.0
    for _ in range(300):
        budget.start()
        budget.finish()
        hands.move(3)
    while hands.wall_ms < end_ms:
        assert budget.delay_s() == 0
        budget.start()
        budget.finish()
        cadence_s = budget.cadence_s(30, 1, background=False)
        slowest = max(slowest, cadence_s)
        hands.move(cadence_s)
    assert slowest < 305


def test_back_fill_leaves_the_month_to_the_polls() -> None:
    """When what is left of the month is just enough for polls, back-fill waits."""
    hands = Hands(wall_ms=parse_iso("2026-07-01"))
    budget = CallBudget(Limits(30, 60.0, 9_000, 300.0), hands.clock())
    assert budget.background_delay_s(100, 30, 1) == math.inf


def test_a_month_just_begun_spares_calls_for_the_back_fill_of_many_coins() -> None:
    """Polls of two requests leave 600 calls of July, although they alone need more than 300 s a poll."""
    hands = Hands(wall_ms=parse_iso("2026-07-01"))
    budget = CallBudget(limits_of(settings(Plan.DEMO_KEY)), hands.clock())
    fills = 0
    while budget.background_delay_s(600, 30, 2) == 0:
        fills += 1
        budget.start()
        budget.finish()
        hands.seconds += 60
    assert 590 < fills < 610


@pytest.mark.parametrize(
    ("interval_s", "pages", "background", "cadence_s"),
    [(30, 1, True, 30), (5, 1, True, 15), (5, 1, False, 12), (30, 4, True, 60), (60, 1, True, 60)],
)
def test_the_cadence_is_the_interval_or_what_the_budget_carries(
    interval_s: float, pages: int, background: bool, cadence_s: float
) -> None:
    """Five calls a minute carry so many polls; one stays free for back-fill while there is one."""
    assert CallBudget(Limits(5), Hands().clock()).cadence_s(interval_s, pages, background=background) == cadence_s


@pytest.mark.parametrize(
    ("plan", "background", "cadence_s"),
    [
        (Plan.KEYLESS, False, 240),
        (Plan.KEYLESS, True, 300),
        (Plan.DEMO_KEY, False, 5_639),
        (Plan.PRO_KEY, True, 30),
        (Plan.LOCAL, True, 30),
    ],
)
def test_five_thousand_coins_are_asked_for_as_often_as_each_plan_carries(
    plan: Plan, background: bool, cadence_s: int
) -> None:
    """Twenty requests a poll: minutes without a key, 94 with a demo key's month, 30 s with a pro key."""
    budget = CallBudget(limits_of(settings(plan)), Hands(wall_ms=parse_iso("2026-07-01")).clock())
    assert round(budget.cadence_s(30, 20, background=background)) == cadence_s


def test_without_a_limit_nothing_waits() -> None:
    """The local server's budget has no end."""
    budget = CallBudget(Limits(), Hands().clock())
    for _ in range(1000):
        assert budget.delay_s() == budget.background_delay_s(0, 5, 3) == 0
        budget.start()
        budget.finish()
    assert budget.cadence_s(5, 40, background=True) == 5
