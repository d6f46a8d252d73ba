"""The values that readers give to API and dashboard."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

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


@dataclass(frozen=True)
class ForecastStep:
    """The forecast for one horizon; `quantiles` maps q025 … q975 to prices."""

    horizon_min: int
    target_ms: int
    mean: float
    p_up: float
    quantiles: Mapping[str, float]


@dataclass(frozen=True)
class ForecastView:
    """The newest forecast of one coin, with its horizons in order."""

    coin_id: str
    origin_ms: int
    price_origin: float
    steps: tuple[ForecastStep, ...]
    kind: str
    model_version: str
    trained_ms: int | None
    created_ms: int
    source: str


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
        """Error of the forecast in percent of the outcome; None while it is unknown."""
        return None if self.actual is None else 100.0 * (self.mean / self.actual - 1.0)


@dataclass(frozen=True)
class FileInfo:
    """A published file or group of files, for the diagnostics page."""

    name: str
    files: int
    rows: int | None
    size_bytes: int
    updated_ms: int | None
