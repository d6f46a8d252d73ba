"""A cycle that would overrun leaves out what can wait, and not for ever."""

from __future__ import annotations

import pytest

from model.loop.time_budget import CycleClock


def test_everything_fits_into_an_ample_interval() -> None:
    """With time to spare no step is put off."""
    clock = CycleClock(3600.0)
    for _ in range(20):
        clock.begin()
        assert clock.fits("train", "forecast")
        with clock.step("train"):
            pass
    assert clock.put_off == {}


def test_a_step_that_never_fits_is_put_off_nine_times_and_then_taken() -> None:
    """Where there is no time at all, every tenth cycle still takes the step."""
    clock = CycleClock(0.0)
    taken = []
    for _ in range(30):
        clock.begin()
        taken.append(clock.fits("train"))
        if taken[-1]:
            with clock.step("train"):
                pass
    assert taken == ([False] * 9 + [True]) * 3


def test_a_step_gives_way_to_what_must_still_come() -> None:
    """Training that fits alone does not fit where the forecasts after it would take longer than the interval."""
    clock = CycleClock(10.0)
    clock.usual = {"train": 1.0, "forecast": 20.0}
    clock.begin()
    assert clock.fits("train")
    assert not clock.fits("train", "forecast")
    assert clock.put_off == {"train": 1}


def test_the_steps_of_the_cycle_under_way_are_timed() -> None:
    """A step counts also when it fails; a new cycle begins with none."""
    clock = CycleClock(10.0)
    clock.begin()
    with pytest.raises(ZeroDivisionError), clock.step("train"):
        raise ZeroDivisionError
    assert set(clock.seconds) == {"train"}
    clock.begin()
    assert clock.seconds == {}
