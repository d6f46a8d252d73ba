"""For how long data certainly stay as they are."""

from __future__ import annotations

from bisect import bisect_right
from types import SimpleNamespace

import pytest

from api import versions
from api.versions import Basis, Pace, VersionClock
from core.reading.readers import Readers
from tests.support.workspace import SampleWorkspace


def test_regular_changes_are_expected_again() -> None:
    """With a change every 30 s and a look every second, the next one is ruled out for nearly 0.9 times 30 s."""
    pace = Pace(longest_s=30.0)
    for second in range(100):
        pace.look(str(second // 30), float(second))
    assert 90 + 0.9 * 27 <= pace.fresh_until <= 90 + 0.9 * 30


def test_nothing_is_certain_before_two_changes() -> None:
    """One version, or the first change, says nothing of the next one."""
    pace = Pace(longest_s=30.0)
    for second, token in enumerate("aaabb"):
        pace.look(token, float(second))
        assert pace.fresh_until <= second


def test_rare_looks_make_no_promise() -> None:
    """Between two looks a minute apart anything can have happened."""
    pace = Pace(longest_s=30.0)
    for minute in range(5):
        pace.look(str(minute), 60.0 * minute)
        assert pace.fresh_until <= 60.0 * minute


def test_quick_changes_shorten_the_promise() -> None:
    """While a back-fill commits every two seconds, no answer is fresh for longer than that."""
    pace = Pace(longest_s=30.0)
    for second in range(60):
        pace.look(str(second // 2), float(second))
        assert pace.fresh_until - second <= 2


def test_an_uneven_pace_is_judged_by_its_shortest_gap() -> None:
    """Of a poll in two pages, two seconds apart, the first promises no more than the second leaves true."""
    pace = Pace(longest_s=30.0)
    pages = [start + page for start in range(0, 600, 30) for page in (0.0, 2.0)]
    commits = sorted([*pages, *(page + 0.01 for page in pages)])  # each page has two commits, which count as one
    promises = 0
    for look in range(15, 11_000):
        now = look / 20
        pace.look(str(bisect_right(commits, now)), now)
        assert pace.fresh_until <= pages[bisect_right(pages, now)]
        promises += pace.fresh_until > now + 1
    assert promises > 100


def test_a_closed_range_is_judged_again_each_day(sample: SampleWorkspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that was closed is kept within a day, and made again in the next one."""
    clock = VersionClock(Readers(sample.settings), interval_s=30.0, look_every_s=0.0)
    days = []
    for hour in (1, 23, 25):
        monkeypatch.setattr(versions, "time", SimpleNamespace(monotonic=lambda hour=hour: 3600.0 * hour))
        days.append(clock.versions().tokens[Basis.CLOSED])
    assert days[0] == days[1] != days[2]
