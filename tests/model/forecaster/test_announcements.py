"""American announcements: when they come, and how much wider they make which horizons."""

from __future__ import annotations

import numpy as np
import pytest

from core.times import DAY_MS, GRID_STEP_MS, MINUTE_MS, parse_iso
from etl.features.new_york_clock import SATURDAY, new_york_ms, weekdays
from etl.features.targets import STEPS
from model.forecaster.announcements import ANNOUNCEMENTS, Announcement, widening
from model.forecaster.engine import EngineOptions, ForecastEngine

MOMENT_MS = 1_700_006_400_000
ONE = (Announcement("figures", np.array([MOMENT_MS]), jump=15.0, rest=33.0),)


def test_announcements_come_at_their_hour_of_new_york_in_summer_and_winter() -> None:
    """Decisions at 14:00, press conferences at 14:30, figures at 8:30; working days, in order; two known times."""
    times = {kind.name: kind.ts_ms for kind in ANNOUNCEMENTS}
    assert parse_iso("2022-06-15T18:00:00Z") in times["federal_reserve"]
    assert parse_iso("2022-12-13T13:30:00Z") in times["consumer_prices"]
    np.testing.assert_array_equal(times["press_conference"], times["federal_reserve"] + 30 * MINUTE_MS)
    for name, moments in times.items():
        local = new_york_ms(moments)
        assert (local % DAY_MS == {"federal_reserve": 840, "press_conference": 870}.get(name, 510) * MINUTE_MS).all()
        assert (weekdays(local) < SATURDAY).all()
        assert (np.diff(moments) > 0).all()


def test_every_kind_comes_at_most_once_a_month_and_widens() -> None:
    """Days of one kind lie three weeks apart or more, and the extra variance of each is positive."""
    for kind in ANNOUNCEMENTS:
        assert np.diff(kind.ts_ms).min() > 20 * DAY_MS
        assert min(kind.jump, kind.rest) > 0


def test_horizons_that_reach_past_an_announcement_are_wider() -> None:
    """A quarter of an hour before: 15 minutes end with it, 20 hold its jump, an hour also most of what follows."""
    (factor,) = widening(np.array([MOMENT_MS - 15 * MINUTE_MS]), ONE)
    assert factor[:3].tolist() == [1.0, 1.0, 1.0]
    assert factor[3] == pytest.approx(np.sqrt(1 + 15 / 4))
    assert factor[-1] == pytest.approx(np.sqrt(1 + (15 + 33 * 40 / 55) / 12))


def test_nothing_is_wider_more_than_an_hour_before_or_after() -> None:
    """At the announcement an hour holds all of it; one minute later, an hour before, and after the last, nothing."""
    at, after, before = widening(MOMENT_MS + MINUTE_MS * np.array([0, 1, -60]), ONE)
    assert at[0] == pytest.approx(4.0)
    assert at[-1] == pytest.approx(np.sqrt(1 + 48 / 12))
    assert after.tolist() == before.tolist() == [1.0] * STEPS


def test_published_ranges_widen_with_the_calendar_alone() -> None:
    """An engine that knows of a decision publishes wider ranges there than one that does not, and equal ones before."""
    decision = parse_iso("2022-06-15T18:00:00Z")
    ts_ms = decision - GRID_STEP_MS * np.arange(2 * 288, -1, -1)
    prices = 100 * np.exp(np.cumsum(np.random.default_rng(0).normal(0, 1e-3, len(ts_ms))))
    widths = []
    for known in (True, False):
        options = EngineOptions(train_days=2, n_trees=2, min_rows=100, min_outcomes=100, use_announcements=known)
        engine = ForecastEngine(options)
        engine.grid.observe("bitcoin", ts_ms, prices)
        engine.advance(decision)
        engine.refit(decision)
        made = [engine.forecast({"bitcoin": decision - minutes * MINUTE_MS}) for minutes in (90, 0)]
        widths.append([one.model_quantiles[0, :, -1] / one.model_quantiles[0, :, 0] - 1 for one in made])
    (early, late), (early_without, late_without) = widths
    np.testing.assert_array_equal(early, early_without)
    assert (late > 1.5 * late_without).all()
