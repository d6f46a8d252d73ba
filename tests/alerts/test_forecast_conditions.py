"""Conditions about forecasts say of many rules and coins at once what API and dashboard say of one."""

from __future__ import annotations

import numpy as np
import pytest

from alerts.conditions.forecasts import ChanceJudge, RegimeJudge
from alerts.conditions.sides import KEEP, UNKNOWN
from alerts.conditions.views import ForecastView
from alerts.forecast_view import forecast_view
from alerts.rules.coin_conditions import EndsAbove, EndsBelow, LevelChance, RegimeChange, Touches
from core.answers.regime import Regime
from core.reading.answers import LevelChance as Answer
from core.reading.answers import level_chance, outlook
from core.reading.readers import Readers
from tests.support.workspace import SampleWorkspace

DISTANCES = (-3.0, -0.4, -0.05, 0.0, 0.05, 0.4, 3.0)
SLACK = np.array([[0.05]])


@pytest.fixture(scope="module")
def readers(tmp_path_factory: pytest.TempPathFactory) -> Readers:
    """Readers of a workspace with forecasts."""
    return Readers(SampleWorkspace.settled(tmp_path_factory.mktemp("data")).settings)


def said(kind: type[LevelChance], answer: Answer) -> float | None:
    """What the one answer says of a condition, in percent."""
    chance = {EndsAbove: answer.above, EndsBelow: answer.below, Touches: answer.touch}[kind]
    return None if chance is None else 100 * chance


@pytest.mark.parametrize("kind", [EndsAbove, EndsBelow, Touches])
@pytest.mark.parametrize("horizon", [5, 60])
def test_chances_are_those_of_the_answers(kind: type[LevelChance], horizon: int, readers: Readers) -> None:
    """The probability of each level and coin equals that of GET /probabilidade; elsewhere nothing is computed."""
    coins = sorted(readers.forecasts())
    view = forecast_view(readers, {coin: place for place, coin in enumerate(coins)}, 0)
    conditions = [kind(probability=50, distance=distance, horizon_min=horizon) for distance in DISTANCES]
    applies = np.ones((len(conditions), len(coins)), np.bool_)
    applies[0, 1] = False
    found = ChanceJudge(conditions, SLACK, applies).probabilities(view)
    for row, distance in enumerate(DISTANCES):
        for column, coin in enumerate(coins):
            forecast = readers.forecast(coin)
            expected = said(kind, level_chance(forecast, forecast.price_origin * (1 + distance / 100), horizon))
            assert found[row, column] == (
                pytest.approx(expected, abs=1e-9) if applies[row, column] else pytest.approx(np.nan, nan_ok=True)
            )


def test_sizes_are_those_of_the_outlook(readers: Readers) -> None:
    """Expected move, half the band and percentile of each coin are what its page shows."""
    coins = sorted(readers.forecasts())
    view = forecast_view(readers, {coin: place for place, coin in enumerate(coins)}, 0)
    for column, coin in enumerate(coins):
        shown = outlook(readers, coin)
        seen = (view.expected_move[column], view.band_80[column], view.activity_percentile[column])
        assert seen == pytest.approx((shown.expected_move, shown.band_80, shown.activity_percentile))


def test_a_regime_near_a_bound_stays_as_it_was() -> None:
    """Within the hysteresis of 25 or 75 nothing changes; beyond it the side is the regime, or whether it is the one."""
    percentiles = np.array([10, 22, 28, 50, 72, 78, 90, np.nan])
    nothing = np.empty(0)
    view = ForecastView(
        nothing.astype(np.int64), nothing.astype(np.int64), nothing, nothing, nothing, nothing, nothing, percentiles
    )
    sides = RegimeJudge([RegimeChange(), RegimeChange(Regime.AGITATED)], np.array([[0.05], [0.05]])).sides(view)
    assert sides[0].tolist() == [0, KEEP, KEEP, 1, KEEP, KEEP, 2, UNKNOWN]
    assert sides[1].tolist() == [0, KEEP, KEEP, 0, KEEP, KEEP, 1, UNKNOWN]
