"""Gaps and thinning of price charts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dashboard.charts.time_axis import thinned, with_gaps


@given(st.lists(st.integers(min_value=1, max_value=60), max_size=40), st.integers(min_value=1, max_value=30))
def test_no_line_bridges_a_gap(steps: list[int], gap: int) -> None:
    """An empty point separates exactly the neighbours that are too far apart; no value is lost."""
    times = [sum(steps[: index + 1]) for index in range(len(steps))]
    drawn_times, drawn = with_gaps(times, [float(value) for value in times], gap)
    assert [value for value in drawn if value is not None] == times
    assert drawn.count(None) == sum(step > gap for step in steps[1:])
    assert drawn_times == sorted(drawn_times)


@given(st.lists(st.floats(min_value=1, max_value=9), min_size=30, max_size=400), st.integers(min_value=4, max_value=20))
def test_thinning_keeps_the_extremes(values: list[float], most: int) -> None:
    """The highest, the lowest and the last price stay, in order, and few more points than asked for."""
    times = [60_000 * index for index in range(len(values))]
    kept_times, kept = thinned((times, values), most)
    assert (min(kept), max(kept), kept[-1]) == (min(values), max(values), values[-1])
    assert list(kept_times) == sorted(kept_times)
    assert len(kept) <= most + 3
    assert all(values[ts_ms // 60_000] == value for ts_ms, value in zip(kept_times, kept, strict=True))
