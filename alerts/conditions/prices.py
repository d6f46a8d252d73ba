"""Conditions that are judged at each price."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from alerts.conditions.sides import UNKNOWN, Floats, Sides, column_of, exceeding
from alerts.conditions.views import PriceView
from alerts.rules.coin_conditions import Change, Direction, OutsideBand, PriceLevel
from core.answers.unusual import unusual_moves
from core.forecast_levels import INTERVALS, QUANTILE_COLUMNS
from core.times import MINUTE_MS

__all__ = ["AboveJudge", "BandJudge", "BelowJudge", "ChangeJudge", "CrossesJudge", "band_columns"]


class AboveJudge:
    """The price is above a level, until it is not above the level less the hysteresis."""

    def __init__(self, conditions: Sequence[PriceLevel], slack: Floats) -> None:
        self._level = column_of([condition.level for condition in conditions])
        self._leave = self._level * (1 - slack)

    def sides(self, view: PriceView) -> Sides:
        """0 or 1 for each rule and price."""
        return exceeding(view.price[None, :], self._level, self._leave, at_least=False)

    def figures(self, row: int, view: PriceView, column: int) -> dict[str, float]:
        """Price and level."""
        return {"price": float(view.price[column]), "level": float(self._level[row, 0])}


class BelowJudge:
    """The price is below a level, until it is not below the level plus the hysteresis."""

    def __init__(self, conditions: Sequence[PriceLevel], slack: Floats) -> None:
        self._level = column_of([condition.level for condition in conditions])
        self._leave = self._level * (1 + slack)

    def sides(self, view: PriceView) -> Sides:
        """0 or 1 for each rule and price."""
        return exceeding(-view.price[None, :], -self._level, -self._leave, at_least=False)

    def figures(self, row: int, view: PriceView, column: int) -> dict[str, float]:
        """Price and level."""
        return {"price": float(view.price[column]), "level": float(self._level[row, 0])}


class CrossesJudge:
    """The side of a level: 1 above it, 0 below it; nearer than the hysteresis, as before."""

    def __init__(self, conditions: Sequence[PriceLevel], slack: Floats) -> None:
        self._level = column_of([condition.level for condition in conditions])
        self._high, self._low = self._level * (1 + slack), self._level * (1 - slack)

    def sides(self, view: PriceView) -> Sides:
        """0 or 1 for each rule and price."""
        return exceeding(view.price[None, :], self._high, self._low)

    def figures(self, row: int, view: PriceView, column: int) -> dict[str, float]:
        """Price and level."""
        return {"price": float(view.price[column]), "level": float(self._level[row, 0])}


class ChangeJudge:
    """The price has changed by so much within a span."""

    def __init__(self, conditions: Sequence[Change], slack: Floats) -> None:
        self._conditions = conditions
        self._percent = column_of([condition.percent for condition in conditions])
        self._leave = self._percent * (1 - slack)

    def sides(self, view: PriceView) -> Sides:
        """0 or 1 for each rule and price."""
        changes = {span_ms: _changes(view, span_ms) for span_ms in {one.span_ms for one in self._conditions}}
        counted = [_counted(changes[one.span_ms], one.direction) for one in self._conditions]
        return exceeding(np.stack(counted), self._percent, self._leave)

    def figures(self, row: int, view: PriceView, column: int) -> dict[str, float]:
        """Price, the one before, and the change in percent over the span in minutes."""
        condition = self._conditions[row]
        return {
            "price": float(view.price[column]),
            "before": float(view.before[condition.span_ms][column]),
            "change": float(_changes(view, condition.span_ms)[column]),
            "percent": condition.percent,
            "span_min": condition.span_ms / MINUTE_MS,
        }


class BandJudge:
    """The price is outside the band that was forecast for it an hour ago."""

    def __init__(self, conditions: Sequence[OutsideBand], slack: Floats) -> None:
        self._percents = [condition.percent for condition in conditions]
        self._leave = 1 - slack

    def sides(self, view: PriceView) -> Sides:
        """0 or 1 for each rule and price; unknown without that forecast."""
        if view.hour_quantiles is None:
            return np.full((len(self._percents), len(view.price)), UNKNOWN, np.int8)
        by_band = {percent: _excess(view.price, view.hour_quantiles, percent) for percent in set(self._percents)}
        excess = np.stack([by_band[percent] for percent in self._percents])
        return exceeding(excess, np.ones_like(self._leave), self._leave, at_least=False)

    def figures(self, row: int, view: PriceView, column: int) -> dict[str, float]:
        """Price, band, and how improbable a price at least so far out was."""
        if view.hour_quantiles is None or view.hour_origin is None:
            raise ValueError("no forecast was seen")
        quantiles, origin, price = view.hour_quantiles[column], view.hour_origin[column], view.price[column]
        low, high = band_columns(self._percents[row])
        move = np.log(np.array([price / origin]))
        _, probability = unusual_moves(np.log(quantiles / origin)[None, :], move)
        return {
            "price": float(price),
            "low": float(quantiles[low]),
            "high": float(quantiles[high]),
            "band": float(self._percents[row]),
            "change": float(100 * (price / origin - 1)),
            "probability": float(100 * probability[0]),
        }


def band_columns(percent: int) -> tuple[int, int]:
    """Places of the two quantiles of a central interval."""
    low, high = INTERVALS[percent]
    return QUANTILE_COLUMNS.index(low), QUANTILE_COLUMNS.index(high)


_SIGNS: Final = {Direction.UP: 1.0, Direction.DOWN: -1.0}


def _counted(change: Floats, direction: Direction) -> Floats:
    return np.abs(change) if direction is Direction.BOTH else _SIGNS[direction] * change


def _changes(view: PriceView, span_ms: int) -> Floats:
    changes: Floats = 100 * (view.price / view.before[span_ms] - 1)
    return changes


def _excess(price: Floats, quantiles: Floats, percent: int) -> Floats:
    """Above 1 outside the band: how many times its nearer bound the price is beyond it."""
    low, high = band_columns(percent)
    return np.maximum(price / quantiles[:, high], quantiles[:, low] / price)
