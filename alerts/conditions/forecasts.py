"""Conditions that are judged at each new forecast."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from alerts.conditions.sides import KEEP, UNKNOWN, Floats, Sides, column_of, exceeding
from alerts.conditions.views import ForecastView
from alerts.rules.coin_conditions import (
    BandWidth,
    EndsAbove,
    EndsBelow,
    LevelChance,
    RegimeChange,
    SizeForecast,
    Touches,
)
from core.answers.distribution import ending_above
from core.answers.regime import AGITATED_ABOVE, CALM_BELOW, Regime
from core.answers.touch import touching
from core.forecast_levels import HORIZONS_MIN

__all__ = ["ChanceJudge", "RegimeJudge", "SizeJudge"]

_REGIMES: Final = tuple(Regime)


class SizeJudge:
    """The expected move, or half the 80 % band, is at least so large: in percent, or as a percentile of 14 days."""

    def __init__(self, conditions: Sequence[SizeForecast], slack: Floats) -> None:
        self._conditions = conditions
        self._enter = column_of([condition.threshold for condition in conditions])
        self._leave = self._enter * (1 - slack)

    def sides(self, view: ForecastView) -> Sides:
        """0 or 1 for each rule and forecast."""
        return exceeding(np.stack([_sizes(one, view) for one in self._conditions]), self._enter, self._leave)

    def figures(self, row: int, view: ForecastView, column: int) -> dict[str, float]:
        """Price, expected move and half the band in percent, their percentile, and the threshold."""
        condition = self._conditions[row]
        named = "threshold" if condition.percentile is None else "threshold_percentile"
        figures = {
            "price": float(view.price[column]),
            "expected_move": float(100 * view.expected_move[column]),
            "band_80": float(100 * view.band_80[column]),
            "percentile": float(view.activity_percentile[column]),
            named: condition.threshold,
        }
        return {name: value for name, value in figures.items() if np.isfinite(value)}


class ChanceJudge:
    """A level is passed at the horizon, or touched before it, with at least so much probability.

    Args:
        conditions: of one kind.
        slack: of each, as a fraction.
        applies: (rules, subjects) whether a rule is about a coin; only those probabilities are computed.
    """

    def __init__(self, conditions: Sequence[LevelChance], slack: Floats, applies: npt.NDArray[np.bool_]) -> None:
        self._conditions = conditions
        self._applies = applies
        self._enter = column_of([condition.probability for condition in conditions])
        self._leave = self._enter * (1 - slack)
        self._horizon = np.array([HORIZONS_MIN.index(condition.horizon_min) for condition in conditions])
        self._level = np.array([np.nan if one.level is None else one.level for one in conditions])
        self._factor = np.array([1 + (one.distance or 0.0) / 100 for one in conditions])
        self._probability = _PROBABILITIES[type(conditions[0])]

    def sides(self, view: ForecastView) -> Sides:
        """0 or 1 for each rule and forecast."""
        return exceeding(self.probabilities(view), self._enter, self._leave)

    def probabilities(self, view: ForecastView) -> Floats:
        """Probabilities in percent (rules, columns); NaN where a rule is not about the coin, or where unknown."""
        rows, columns = np.nonzero(self._applies[:, view.places])
        price = view.price[columns]
        level = np.where(np.isnan(self._level[rows]), price * self._factor[rows], self._level[rows])
        horizon = self._horizon[rows]
        log_quantiles, reach = view.log_quantiles[columns, horizon], view.reach[columns, horizon]
        found = np.full((len(self._conditions), len(view.places)), np.nan)
        found[rows, columns] = 100 * self._probability(log_quantiles, reach, np.log(level / price))
        return found

    def figures(self, row: int, view: ForecastView, column: int) -> dict[str, float]:
        """Price, level, probability and the one asked for in percent, and the horizon in minutes."""
        condition = self._conditions[row]
        price = float(view.price[column])
        level = condition.level or price * (1 + (condition.distance or 0.0) / 100)
        horizon = HORIZONS_MIN.index(condition.horizon_min)
        at_column = (view.log_quantiles[[column], horizon], view.reach[[column], horizon], np.log([level / price]))
        return {
            "price": price,
            "level": level,
            "probability": float(100 * self._probability(*at_column)[0]),
            "asked_probability": condition.probability,
            "horizon_min": float(condition.horizon_min),
        }


class RegimeJudge:
    """The regime of the next hour: its number for rules that wait for any change, else whether it is the one asked for.

    Nearer to a bound between two regimes than the hysteresis, in points of the percentile, it is as before.
    """

    def __init__(self, conditions: Sequence[RegimeChange], slack: Floats) -> None:
        self._slack = 100 * slack
        self._asked = column_of([-1 if one.to is None else _REGIMES.index(one.to) for one in conditions])

    def sides(self, view: ForecastView) -> Sides:
        """0, 1 or 2 for each rule and forecast."""
        percentile = view.activity_percentile[None, :]
        number = _regime_numbers(percentile)
        sides = np.where(self._asked < 0, number, self._asked == number).astype(np.int8)
        near = np.minimum(np.abs(percentile - CALM_BELOW), np.abs(percentile - AGITATED_ABOVE))
        sides[near < self._slack] = KEEP
        sides[np.broadcast_to(np.isnan(percentile), sides.shape)] = UNKNOWN
        return sides

    def figures(self, row: int, view: ForecastView, column: int) -> dict[str, float]:
        """Price, percentile of the activity, and the number of the regime: 0 calm, 1 normal, 2 agitated."""
        del row
        percentile = view.activity_percentile[[column]]
        return {
            "price": float(view.price[column]),
            "percentile": float(percentile[0]),
            "regime": float(_regime_numbers(percentile)[0]),
            "expected_move": float(100 * view.expected_move[column]),
        }


def _regime_numbers(percentile: Floats) -> npt.NDArray[np.int64]:
    return np.where(percentile < CALM_BELOW, 0, np.where(percentile > AGITATED_ABOVE, 2, 1))


def _ends_above(log_quantiles: Floats, _reach: Floats, log_level: Floats) -> Floats:
    return ending_above(log_quantiles, log_level)


def _ends_below(log_quantiles: Floats, _reach: Floats, log_level: Floats) -> Floats:
    return ending_above(-log_quantiles[:, ::-1], -log_level)


def _touches(log_quantiles: Floats, reach: Floats, log_level: Floats) -> Floats:
    """Never below the probability of ending beyond the level."""
    towards = np.where((log_level > 0)[:, None], log_quantiles, -log_quantiles[:, ::-1])
    distance = np.abs(log_level)
    touched = np.maximum(touching(reach, distance), ending_above(towards, distance))
    return np.where(np.isnan(reach).any(axis=1), np.nan, touched)


_PROBABILITIES: Final = {EndsAbove: _ends_above, EndsBelow: _ends_below, Touches: _touches}


def _sizes(condition: SizeForecast, view: ForecastView) -> Floats:
    if condition.percentile is not None:
        return view.activity_percentile
    return 100 * (view.band_80 if isinstance(condition, BandWidth) else view.expected_move)
