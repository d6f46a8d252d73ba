"""A cycle that would overrun leaves out what can wait, and not for ever."""

from __future__ import annotations

import pytest

from model.loop.time_budget import TimeBudget


def test_everything_fits_into_an_ample_interval() -> None:
    """With time to spare no step is deferred."""
    budget = TimeBudget(3600.0)
    for _ in range(20):
        budget.begin()
        assert budget.has_time_for("train", "forecast")
        with budget.step("train"):
            pass
    assert budget.deferred == {}


def test_a_step_that_never_fits_is_deferred_nine_times_and_then_taken() -> None:
    """Without any time, every tenth cycle still runs the step."""
    budget = TimeBudget(0.0)
    taken = []
    for _ in range(30):
        budget.begin()
        taken.append(budget.has_time_for("train"))
        if taken[-1]:
            with budget.step("train"):
                pass
    assert taken == ([False] * 9 + [True]) * 3


def test_a_step_gives_way_to_what_must_still_come() -> None:
    """Training that fits alone is deferred if the forecasts after it would exceed the interval."""
    budget = TimeBudget(10.0)
    budget.last_duration_s = {"train": 1.0, "forecast": 20.0}
    budget.begin()
    assert budget.has_time_for("train")
    assert not budget.has_time_for("train", "forecast")
    assert budget.deferred == {"train": 1}


def test_the_steps_of_the_cycle_under_way_are_timed() -> None:
    """A failed step is measured too; a new cycle starts empty."""
    budget = TimeBudget(10.0)
    budget.begin()
    with pytest.raises(ZeroDivisionError), budget.step("train"):
        raise ZeroDivisionError
    assert set(budget.seconds) == {"train"}
    budget.begin()
    assert budget.seconds == {}
