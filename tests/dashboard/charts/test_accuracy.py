"""Charts of the accuracy view as figures."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC
from zoneinfo import ZoneInfo

import pytest

from core.accuracy.scores import Score
from core.reading.values import LoggedForecast
from core.times import parse_iso
from dashboard.charts.accuracy import (
    by_clock_chart,
    by_coin_chart,
    by_day_chart,
    by_horizon_chart,
    interval_coverage_chart,
    miss_chart,
)
from dashboard.charts.palette import WORSE
from dashboard.charts.style import ChartStyle
from dashboard.i18n.numbers import Formats
from dashboard.i18n.texts import Texts

FORMATS = Formats("pt", UTC, "usd")
TEXTS = Texts("pt")
SCORE = Score(
    forecasts=1200, hours=48, start_ms=1_763_812_800_000, end_ms=1_763_985_600_000, relative_pinball=0.97, skill=0.03,
    coverage={50: 0.49, 80: 0.81, 90: 0.9, 95: 0.94}, width_80_percent=0.8, winkler_ratio=0.96, mae_percent=0.2,
    mae_ratio=0.998, hit_rate=0.52, hit_low=0.45, hit_high=0.59, brier=0.249, better_p_value=0.01, model_share=1.0,
    skill_margin=0.01,
)  # fmt: skip


def test_observed_coverage_is_drawn_against_the_nominal() -> None:
    """Each interval is a point in percent; the other trace is the diagonal."""
    ideal, observed = interval_coverage_chart(SCORE, FORMATS, TEXTS)["data"]
    assert ideal["x"] == ideal["y"]
    assert observed["x"] == [50, 80, 90, 95]
    assert observed["y"] == pytest.approx([49, 81, 90, 94])


def test_horizons_show_the_error_avoided_with_its_interval() -> None:
    """A skill of 3 % is drawn at +3, as on the card; a horizon without one is left out."""
    scores = {5: SCORE, 60: replace(SCORE, skill=-0.02, skill_margin=None), 55: replace(SCORE, skill=None)}
    (trace,) = by_horizon_chart(scores, FORMATS, TEXTS)["data"]
    assert dict(zip(trace["x"], trace["y"], strict=True)) == {5: pytest.approx(3), 60: pytest.approx(-2)}
    assert trace["error_y"]["array"] == [pytest.approx(1), 0]


def test_days_lie_on_a_date_axis() -> None:
    """Each day is a point; without days the chart is empty."""
    (trace,) = by_day_chart({"2025-11-22": SCORE}, FORMATS, TEXTS)["data"]
    assert trace["x"] == ["2025-11-22"]
    assert by_day_chart({}, FORMATS, TEXTS)["data"][0]["x"] == []


def test_of_many_coins_the_worst_are_drawn_like_the_best() -> None:
    """Of forty coins the fifteen best and the fifteen worst are drawn, the best on top, losers in red."""
    scores = {f"coin-{index}": replace(SCORE, skill=index / 100 - 0.2) for index in range(40)}
    (points,) = by_coin_chart(scores, {"coin-39": "Best", "coin-0": "Worst"}, FORMATS, TEXTS)["data"]
    assert (len(points["y"]), points["y"][0], points["y"][-1]) == (30, "Best", "Worst")
    assert points["x"] == sorted(points["x"], reverse=True)
    assert points["marker"]["color"].count(WORSE) == 15
    assert points["error_x"]["array"] == pytest.approx([1.0] * 30)


def test_few_coins_are_all_drawn() -> None:
    """Up to thirty coins none is left out."""
    scores = {f"coin-{index}": replace(SCORE, skill=index / 100) for index in range(30)}
    assert len(by_coin_chart(scores, {}, FORMATS, TEXTS)["data"][0]["y"]) == 30


def test_hours_of_the_day_are_on_the_visitors_clock() -> None:
    """The UTC hour 14 is 11 in Brasília; the line of what was promised lies at 80 %."""
    brasilia = Formats("pt", ZoneInfo("America/Sao_Paulo"), "usd")
    figure = by_clock_chart({14: SCORE}, SCORE.end_ms, brasilia, TEXTS)
    assert (figure["data"][0]["x"], figure["data"][0]["y"]) == ([11], [81])
    assert figure["layout"]["shapes"][0]["y0"] == 80


@pytest.mark.parametrize(
    ("zone", "day", "first"),
    [("America/New_York", "2026-11-01", 19), ("Europe/Berlin", "2026-03-29", 2), ("Asia/Kolkata", "2026-11-01", 5)],
)
def test_each_hour_of_the_day_is_there_once_when_clocks_change(zone: str, day: str, first: int) -> None:
    """On the day on which clocks change, the whole day is on the clock of its end; the UTC hour 0 is `first` on it."""
    scores = {hour: replace(SCORE, forecasts=hour) for hour in range(24)}
    formats = Formats("en", ZoneInfo(zone), "usd")
    (points,) = by_clock_chart(scores, parse_iso(f"{day}T23:00:00Z"), formats, TEXTS)["data"]
    assert points["x"] == list(range(24))
    assert points["text"][first] == TEXTS("accuracy.count", count="0")


def test_a_miss_shows_the_range_and_what_happened() -> None:
    """The cone ends at the 80 % range, the mark lies at the outcome."""
    miss = LoggedForecast("bitcoin", 0, 3_600_000, 100.0, 100.0, 99.0, 101.0, 95.0)
    cone, line, end = miss_chart(miss, ([0, 60_000], [100.0, 99.5]), ChartStyle(FORMATS))["data"]
    assert cone["y"] == [100.0, 101.0, 99.0, 100.0]
    assert line["y"] == [100.0, 99.5]
    assert (end["x"], end["y"]) == ([3_600_000], [95.0])
