"""For how long data certainly stay as they are."""

from __future__ import annotations

from bisect import bisect_right
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import versions
from api.versions import Basis, Pace, VersionClock
from core.reading.readers import Readers
from tests.support.workspace import SampleWorkspace


def test_regular_changes_are_expected_again() -> None:
    """With a change every 30 s and a look every second, the next one is ruled out for nearly 0.9 times 30 s."""
    pace = Pace(longest_s=30.0)
    for second in range(100):
        until = pace.look(str(second // 30), float(second))
    assert 90 + 0.9 * 27 <= until <= 90 + 0.9 * 30


def test_nothing_is_certain_before_two_changes() -> None:
    """One version, or the first change, says nothing of the next one."""
    pace = Pace(longest_s=30.0)
    for second, token in enumerate("aaabb"):
        assert pace.look(token, float(second)) <= second


def test_rare_looks_make_no_promise() -> None:
    """Between two looks a minute apart anything can have happened."""
    pace = Pace(longest_s=30.0)
    for minute in range(5):
        assert pace.look(str(minute), 60.0 * minute) <= 60.0 * minute


def test_quick_changes_shorten_the_promise() -> None:
    """While a back-fill commits every two seconds, no answer is fresh for longer than that."""
    pace = Pace(longest_s=30.0)
    for second in range(60):
        assert pace.look(str(second // 2), float(second)) - second <= 2


@given(step_s=st.floats(0.1, 10), steps=st.integers(1, 2), apart_s=st.floats(0.05, 1), late_s=st.lists(st.floats(0, 1)))
def test_a_burst_of_changes_promises_nothing_before_its_end(
    step_s: float, steps: int, apart_s: float, late_s: list[float]
) -> None:
    """Polls page by page, or scores after forecasts: what is promised is true, and most of each interval is."""
    pace, starts = Pace(longest_s=30.0), [30 * number + late for number, late in enumerate([*late_s, *[0.0] * 12])]
    changes = [start + step * step_s for start in starts for step in range(steps + 1) if step * step_s < 14]
    looks = np.arange(15.0, starts[-1], apart_s)
    promised = 0
    for now in looks:
        seen = bisect_right(changes, now)
        until = pace.look(str(seen), now)
        assert until <= changes[seen]
        promised += until > now
    assert promised * apart_s > 5 * (25 - min(14, steps * step_s) - 2 - 2 * apart_s)


def test_a_closed_range_is_judged_again_each_day(sample: SampleWorkspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that was closed is kept within a day, and made again in the next one."""
    clock = VersionClock(Readers(sample.settings), interval_s=30.0, look_every_s=0.0)
    days = []
    for hour in (1, 23, 25):
        monkeypatch.setattr(versions, "time", SimpleNamespace(monotonic=lambda hour=hour: 3600.0 * hour))
        days.append(clock.versions().tokens[Basis.CLOSED])
    assert days[0] == days[1] != days[2]
