"""A list of announcements that runs out is told before its last day, and from then on."""

from __future__ import annotations

import tomllib
from datetime import date
from pathlib import Path

import pytest

from core.settings import PROJECT
from core.times import DAY_MS, parse_iso
from core.wording import LANGUAGES, say
from model.forecaster.announcements import ANNOUNCEMENTS, LAST_DAYS
from model.loop.calendar_watch import NOTICE_DAYS, CalendarWatch

LISTS = {"federal_reserve": date(2027, 12, 8), "employment": date(2026, 12, 4)}
EMPLOYMENT_ENDS_MS = parse_iso("2026-12-04T00:00:00Z")


@pytest.mark.parametrize(
    ("days_left", "told"),
    [(NOTICE_DAYS + 1, False), (NOTICE_DAYS, True), (0, True), (-200, True)],
)
def test_a_list_is_named_from_thirty_days_before_its_end_on(days_left: int, told: bool) -> None:
    """With its last day and the file to add days to, in both languages; the list that goes on is not named."""
    said = CalendarWatch(LISTS).look(EMPLOYMENT_ENDS_MS - days_left * DAY_MS)
    assert (said is not None) is told
    for language in LANGUAGES:
        text = "" if said is None else say(said, language)
        assert ("employment (2026-12-04)" in text) is told
        assert ("model/forecaster/us_announcements.toml" in text) is told
        assert "federal_reserve" not in text


def test_the_log_is_told_once_for_each_list_that_ends(caplog: pytest.LogCaptureFixture) -> None:
    """Not in every cycle: when the first one ends, and months later when another one does, named behind it."""
    watch = CalendarWatch(LISTS)
    for day in range(-60, 380):
        watch.look(EMPLOYMENT_ENDS_MS + day * DAY_MS)
    assert [record.levelname for record in caplog.records] == ["WARNING"] * 2
    assert "employment (2026-12-04), federal_reserve (2027-12-08)" in caplog.messages[1]


def test_the_last_days_are_those_after_which_nothing_is_widened() -> None:
    """Each list of the shipped calendar has one, when its last announcement comes; the file named is that calendar."""
    said = CalendarWatch({"any": date(2000, 1, 1)}).look(EMPLOYMENT_ENDS_MS)
    assert said is not None
    calendar = tomllib.loads((PROJECT / Path(str(said.values["file"]))).read_text(encoding="utf-8"))
    assert LAST_DAYS.keys() == {name for name, kind in calendar.items() if "days" in kind}
    ends = {kind.name: int(kind.ts_ms[-1]) for kind in ANNOUNCEMENTS}
    for name, day in LAST_DAYS.items():
        assert 0 < ends[name] - parse_iso(f"{day}T00:00:00Z") < DAY_MS
