"""New York's clock against the time-zone database, and the parts of its week."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.times import DAY_MS, GRID_STEP_MS, MINUTE_MS
from etl.features.new_york_clock import NEW_YORK_FEATURES, new_york_columns, new_york_ms

NEW_YORK = ZoneInfo("America/New_York")
FIRST_MS, LAST_MS = (round(datetime(year, 1, 1, tzinfo=UTC).timestamp() * 1000) for year in (2008, 2037))


def _utc_ms(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> int:
    """UTC time of a moment on New York's clock."""
    return round(datetime(year, month, day, hour, minute, tzinfo=NEW_YORK).timestamp() * 1000)


def _wall_ms(ts_ms: int) -> int:
    local = datetime.fromtimestamp(ts_ms / 1000, NEW_YORK).replace(tzinfo=UTC)
    return round(local.timestamp() * 1000)


@given(st.integers(FIRST_MS, LAST_MS))
def test_the_clock_is_that_of_the_time_zone_database(ts_ms: int) -> None:
    """At any time of thirty years the wall clock is the database's."""
    assert int(new_york_ms(np.array([ts_ms]))[0]) == pytest.approx(_wall_ms(ts_ms), abs=1)


@pytest.mark.parametrize("year", [2008, 2017, 2022, 2024, 2026, 2030])
def test_daylight_saving_changes_when_the_database_says(year: int) -> None:
    """Every quarter of an hour, and a second before it, over the weeks of both changes: the database's clock."""
    for month in (3, 11):
        start = _utc_ms(year, month, 1)
        ts_ms = np.arange(start, start + 14 * DAY_MS, 15 * MINUTE_MS)
        for edge in (ts_ms, ts_ms - 1000):
            assert new_york_ms(edge).tolist() == [_wall_ms(moment) for moment in edge.tolist()]


@pytest.mark.parametrize("month", [1, 7])
@pytest.mark.parametrize(
    ("part", "weekday", "inside", "outside"),
    [
        ("american_data", 4, (8, 30), (8, 29)),
        ("american_data", 4, (9, 29), (9, 30)),
        ("stock_opening", 0, (9, 30), (10, 30)),
        ("federal_reserve", 2, (14, 0), (13, 29)),
        ("stock_closing", 3, (16, 0), (16, 30)),
        ("sunday_evening", 6, (18, 0), (16, 59)),
        ("friday_evening", 4, (16, 0), (15, 59)),
    ],
)
def test_parts_of_the_week_follow_new_yorks_clock(
    part: str, weekday: int, inside: tuple[int, int], outside: tuple[int, int], month: int
) -> None:
    """In winter as in summer a part of the week is 1 within its hours and 0 outside."""
    day = next(day for day in range(8, 15) if datetime(2024, month, day, tzinfo=UTC).weekday() == weekday)
    moments = np.array([_utc_ms(2024, month, day, *clock) for clock in (inside, outside)])
    assert new_york_columns(moments)[:, NEW_YORK_FEATURES.index(part)].tolist() == [1.0, 0.0]


def test_columns_are_bounded_and_repeat_every_week() -> None:
    """All columns lie within -1 and 1, those of working days are 0 on Saturday, and a week later all are the same."""
    week = _utc_ms(2024, 6, 3) + GRID_STEP_MS * np.arange(7 * 288)
    columns = new_york_columns(week)
    assert columns.shape == (7 * 288, len(NEW_YORK_FEATURES))
    assert np.abs(columns).max() <= 1
    assert (columns.std(axis=0) > 0).all()
    whole_week = [n for n, name in enumerate(NEW_YORK_FEATURES) if "new_york_day_" in name]
    np.testing.assert_array_equal(np.delete(columns[5 * 288 : 6 * 288], whole_week, axis=1), 0.0)
    np.testing.assert_array_equal(new_york_columns(week + 7 * DAY_MS), columns)
