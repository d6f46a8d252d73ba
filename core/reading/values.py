"""The values that readers give to API and dashboard."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from core.answers.distribution import PriceDistribution

__all__ = ["FileInfo", "ForecastStep", "ForecastView", "LoggedForecast", "Quote"]


@dataclass(frozen=True)
class Quote:
    """A coin with its newest price; prices are None before the first poll."""

    id: str
    symbol: str
    name: str
    rank: int | None
    price: float | None
    change_24h_percent: float | None
    updated_ms: int | None
    change_1h_percent: float | None = None


@dataclass(frozen=True)
class ForecastStep:
    """The forecast for one horizon; `quantiles` maps q025 … q975 to prices.

    `reach` holds the quantiles of the largest log rise (and of the largest log fall) at `REACH_LEVELS`; None in rows of
    version 0.1.0.
    """

    horizon_min: int
    target_ms: int
    mean: float
    p_up: float
    quantiles: Mapping[str, float]
    reach: tuple[float, ...] | None = None


@dataclass(frozen=True)
class ForecastView:
    """The newest forecast of one coin, with its horizons in order.

    `activity_percentile` says which percent of the coin's own hours of two weeks were expected to be quieter than the
    next one; None when unknown.
    """

    coin_id: str
    origin_ms: int
    price_origin: float
    steps: tuple[ForecastStep, ...]
    kind: str
    model_version: str
    trained_ms: int | None
    created_ms: int
    source: str
    activity_percentile: float | None = None

    def step(self, horizon_min: int) -> ForecastStep:
        """The forecast for one of the horizons."""
        return next(step for step in self.steps if step.horizon_min == horizon_min)

    def distribution(self, step: ForecastStep) -> PriceDistribution:
        """The distribution of the price at one of the horizons."""
        return PriceDistribution.of_prices(self.price_origin, step.quantiles.values())


@dataclass(frozen=True)
class LoggedForecast:
    """A logged forecast for one horizon; `actual` is its outcome, None while it is unknown."""

    coin_id: str
    origin_ms: int
    target_ms: int
    price_origin: float
    mean: float
    low_80: float
    high_80: float
    actual: float | None

    @property
    def error_percent(self) -> float | None:
        """Forecast minus outcome in percent of the price at the origin; None while the outcome is unknown."""
        return None if self.actual is None else 100.0 * (self.mean - self.actual) / self.price_origin


@dataclass(frozen=True)
class FileInfo:
    """A published file or group of files, for the diagnostics page."""

    name: str
    files: int
    rows: int | None
    size_bytes: int
    updated_ms: int | None
