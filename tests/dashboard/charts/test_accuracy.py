"""Charts of the accuracy view as figures."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC

import pytest

from core.accuracy.scores import Score
from dashboard.charts.accuracy import by_coin_chart, by_day_chart, by_horizon_chart, interval_coverage_chart
from dashboard.i18n.numbers import Formats
from dashboard.i18n.texts import Texts

FORMATS = Formats("pt", UTC, "usd")
TEXTS = Texts("pt")
SCORE = Score(
    forecasts=1200, hours=48, start_ms=1_763_812_800_000, end_ms=1_763_985_600_000, relative_pinball=0.97, skill=0.03,
    coverage={50: 0.49, 80: 0.81, 90: 0.9, 95: 0.94}, width_80_percent=0.8, winkler_ratio=0.96, mae_percent=0.2,
    mae_ratio=0.998, hit_rate=0.52, hit_low=0.45, hit_high=0.59, brier=0.249, better_p_value=0.01, model_share=1.0,
)  # fmt: skip


def test_observed_coverage_is_drawn_against_the_nominal() -> None:
    """Each interval is a point in percent; the other trace is the diagonal."""
    ideal, observed = interval_coverage_chart(SCORE, FORMATS, TEXTS)["data"]
    assert ideal["x"] == ideal["y"]
    assert observed["x"] == [50, 80, 90, 95]
    assert observed["y"] == pytest.approx([49, 81, 90, 94])


def test_horizons_show_the_difference_to_the_naive_forecast() -> None:
    """A relative loss of 0.97 is drawn as −3 %; a horizon without a loss is left out."""
    scores = {5: SCORE, 60: replace(SCORE, relative_pinball=1.02), 55: replace(SCORE, relative_pinball=None)}
    (trace,) = by_horizon_chart(scores, FORMATS, TEXTS)["data"]
    assert dict(zip(trace["x"], trace["y"], strict=True)) == {5: pytest.approx(-3), 60: pytest.approx(2)}


def test_days_lie_on_a_date_axis() -> None:
    """Each day is a point; without days the chart is empty."""
    (trace,) = by_day_chart({"2025-11-22": SCORE}, FORMATS, TEXTS)["data"]
    assert trace["x"] == ["2025-11-22"]
    assert by_day_chart({}, FORMATS, TEXTS)["data"][0]["x"] == []


def test_coins_are_sorted_and_at_most_thirty() -> None:
    """Of many coins the best thirty are drawn, the best on top."""
    scores = {f"coin-{index}": replace(SCORE, relative_pinball=1.2 - index / 100) for index in range(40)}
    (bars,) = by_coin_chart(scores, {"coin-39": "Best"}, FORMATS, TEXTS)["data"]
    assert len(bars["y"]) == 30
    assert bars["y"][0] == "Best"
    assert bars["x"] == sorted(bars["x"])
