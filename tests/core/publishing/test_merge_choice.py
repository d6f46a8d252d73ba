"""Which parts are merged next: those of the oldest hour or day into which no more can come."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from core.publishing.manifest import Part
from core.publishing.merge_choice import next_merge
from core.times import DAY_MS, HOUR_MS, MINUTE_MS

DAY = 20_000 * DAY_MS


def slot(start_min: int, end_min: int) -> Part:
    """A part whose rows lie between two minutes of the day."""
    return Part(f"{start_min}-{end_min}.parquet", 1, DAY + start_min * MINUTE_MS, DAY + end_min * MINUTE_MS, "slot")


def test_an_hour_is_merged_once_the_last_of_its_parts_has_ended() -> None:
    """Scores that begin in an hour end in the next one: they are merged together, ten minutes after their end."""
    parts = [slot(0, 119), slot(5, 119), slot(60, 179)]
    assert next_merge(parts, DAY + 128 * MINUTE_MS) is None
    assert next_merge(parts, DAY + 129 * MINUTE_MS) == ("hour", parts[:2])


def test_a_day_waits_for_parts_that_reach_into_the_next_one() -> None:
    """The day is merged when its last hour, which ends after midnight, cannot get another part."""
    hours = [slot(60 * hour, 60 * hour + 119) for hour in range(24)]
    assert next_merge(hours[-1:], DAY + DAY_MS + 60 * MINUTE_MS) is None
    assert next_merge(hours, DAY + DAY_MS + 69 * MINUTE_MS) == ("day", hours)


def test_an_hour_of_many_parts_is_merged_before_it_is_closed() -> None:
    """Twenty-four parts wait, one more begins a merge, and so do the next twenty-four beside what was merged."""
    parts = [slot(0, minute) for minute in range(25)]
    assert next_merge(parts[:24], DAY) is None
    assert next_merge(parts, DAY) == ("hour", parts)
    merged = replace(slot(0, 24), level="hour")
    assert next_merge([merged, *parts[:23]], DAY) is None
    assert next_merge([merged, *parts[:24]], DAY) == ("hour", [merged, *parts[:24]])


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 200)), max_size=12), st.integers(0, 600))
def test_nothing_is_merged_that_may_still_grow(spans: list[tuple[int, int]], now_min: int) -> None:
    """All chosen parts begin in one hour, which has ended ten minutes ago like each of them; no older one is left."""
    parts = [slot(start, start + length) for start, length in spans]
    now = DAY + now_min * MINUTE_MS
    hours = {part.start_ms // HOUR_MS for part in parts}
    groups = {hour: [part for part in parts if part.start_ms // HOUR_MS == hour] for hour in hours}
    ended = [
        hour
        for hour, group in groups.items()
        if max((hour + 1) * HOUR_MS, *(part.end_ms for part in group)) <= now - 10 * MINUTE_MS
    ]
    assert next_merge(parts, now) == (("hour", groups[min(ended)]) if ended else None)
