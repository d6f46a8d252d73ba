"""What the published forecasts answer, for API and dashboard: outlook of a coin, chance of a level, portfolio risk."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from core.answers.portfolio import PortfolioRisk, portfolio_risk
from core.answers.regime import Regime, regime
from core.answers.scenarios import joint_log_moves, moves_together
from core.answers.touch import touching
from core.answers.unusual import UnusualHour, unusual_hour
from core.errors import NotReady
from core.forecast_schema import HORIZONS_MIN, INTERVALS
from core.reading.forecast_columns import ForecastColumns, forecast_columns
from core.reading.readers import Readers
from core.reading.values import ForecastStep, ForecastView
from core.times import HOUR_MS
from core.wording import message

__all__ = [
    "MIN_HALF_HOURS",
    "HourAhead",
    "LevelChance",
    "Outlook",
    "PortfolioOutlook",
    "hours_ahead",
    "level_chance",
    "outlook",
    "outlook_of",
    "portfolio_outlook",
]

MIN_HALF_HOURS: Final = 36
"""What the back-fill of a first start gives with a few gaps; the worst 5 % are then three to four scenarios."""


@dataclass(frozen=True)
class Outlook:
    """What the newest forecast says of a coin at one horizon, and the last forecast of the hour before.

    Attributes:
        step: the forecast for the horizon.
        expected_move: absolute, as a fraction of the price.
        band_80: half the width of the 80 % interval, as a fraction of the price.
        activity_percentile, regime, last_hour: None when unknown.
    """

    view: ForecastView
    step: ForecastStep
    expected_move: float
    band_80: float
    activity_percentile: float | None
    regime: Regime | None
    last_hour: UnusualHour | None


@dataclass(frozen=True)
class HourAhead:
    """What the newest forecast says of the next hour of one coin among all; the cheap part of an `Outlook`.

    Attributes:
        low_80, high_80: the 80 % interval of the price.
        expected_move: absolute, as a fraction of the price.
        activity_percentile, regime: None when unknown.
    """

    price_origin: float
    low_80: float
    high_80: float
    expected_move: float
    activity_percentile: float | None
    regime: Regime | None


@dataclass(frozen=True)
class LevelChance:
    """Probabilities that a price ends above or below a level, and that it touches it before; None when unknown."""

    view: ForecastView
    level: float
    horizon_min: int
    above: float
    below: float
    touch: float | None


@dataclass(frozen=True)
class PortfolioOutlook:
    """Forecasts of the coins of a portfolio, the values of its positions, and its risk over the next hour."""

    views: tuple[ForecastView, ...]
    values: tuple[float, ...]
    risk: PortfolioRisk


def outlook(readers: Readers, coin_id: str, horizon_min: int = HORIZONS_MIN[-1]) -> Outlook:
    """Outlook of a coin; computed once for each publication.

    Raises:
        NotReady: the coin has no forecast yet.
    """
    name = f"outlook {coin_id} {horizon_min}"
    return readers.derived(name, lambda: outlook_of(readers, readers.forecast(coin_id), horizon_min))


def outlook_of(readers: Readers, view: ForecastView, horizon_min: int = HORIZONS_MIN[-1]) -> Outlook:
    """Outlook of a coin from one of its forecasts."""
    step = view.step(horizon_min)
    low, high = (step.quantiles[column] for column in INTERVALS[80])
    before = readers.logged_distribution(view.coin_id, view.origin_ms - HOUR_MS)
    return Outlook(
        view=view,
        step=step,
        expected_move=view.distribution(step).expected_move(),
        band_80=(high - low) / (2 * view.price_origin),
        activity_percentile=view.activity_percentile,
        regime=regime(view.activity_percentile),
        last_hour=None if before is None else unusual_hour(before, view.price_origin),
    )


def hours_ahead(readers: Readers) -> Mapping[str, HourAhead]:
    """The next hour of every coin that has a forecast; computed once for each publication.

    Raises:
        NotReady: no forecasts are published yet.
    """
    return readers.derived("hours ahead", lambda: _hours_ahead(forecast_columns(readers)))


def level_chance(view: ForecastView, level: float, horizon_min: int) -> LevelChance:
    """Chance of a positive level at one of the horizons; the price at the origin is touched for certain."""
    step = view.step(horizon_min)
    forecast = view.distribution(step)
    above, below = forecast.above(level), forecast.below(level)
    if step.reach is None:
        return LevelChance(view, level, horizon_min, above, below, None)
    distance = math.log(level) - math.log(view.price_origin)
    touch = float(touching(np.array([step.reach]), np.array([abs(distance)]))[0])
    return LevelChance(view, level, horizon_min, above, below, max(touch, above if distance > 0 else below))


def portfolio_outlook(readers: Readers, units: Mapping[str, float]) -> PortfolioOutlook:
    """Risk of a portfolio over the next hour.

    Args:
        readers: where forecasts and past hours come from.
        units: coin id → units held.

    Raises:
        NotReady: a coin has no forecast yet, or the coins have too few past half-hours in common.
    """
    views = tuple(readers.forecast(coin) for coin in units)
    values = tuple(view.price_origin * held for view, held in zip(views, units.values(), strict=True))
    known = readers.scaled_hours()
    hours = [known[coin] for coin in units if coin in known]
    moves = moves_together(hours, len(HORIZONS_MIN) - 1) if len(hours) == len(units) else np.empty((0, len(units)))
    if len(moves) < MIN_HALF_HOURS:
        raise NotReady(message("scenarios.too_few", found=len(moves), needed=MIN_HALF_HOURS))
    log_moves = joint_log_moves(moves, [view.distribution(view.steps[-1]) for view in views])
    return PortfolioOutlook(views, values, portfolio_risk(np.array(values), log_moves))


def _hours_ahead(forecasts: ForecastColumns) -> dict[str, HourAhead]:
    hour = HORIZONS_MIN[-1]
    low, high = (bound.tolist() for bound in forecasts.interval(80, hour))
    moves = forecasts.expected_move(hour).tolist()
    activities = [None if math.isnan(value) else value for value in forecasts.activity_percentile.tolist()]
    rows = zip(forecasts.price_origin.tolist(), low, high, moves, activities, map(regime, activities), strict=True)
    return {coin: HourAhead(*row) for coin, row in zip(forecasts.coins, rows, strict=True)}
