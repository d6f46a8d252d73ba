"""Gaps and times on the axis of price charts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dashboard.charts.time_axis import with_gaps


@given(st.lists(st.integers(min_value=1, max_value=60), max_size=40), st.integers(min_value=1, max_value=30))
def test_no_line_bridges_a_gap(steps: list[int], gap: int) -> None:
    """An empty point separates exactly the neighbours that are too far apart; no value is lost."""
    times = [sum(steps[: index + 1]) for index in range(len(steps))]
    drawn_times, drawn = with_gaps(times, [float(value) for value in times], gap)
    assert [value for value in drawn if value is not None] == times
    assert drawn.count(None) == sum(step > gap for step in steps[1:])
    assert drawn_times == sorted(drawn_times)
