"""Where the alert process reads forecasts; importing this loads pyarrow."""

from __future__ import annotations

from alerts.forecast_view import coverage_view, forecast_view, hours_before
from alerts.watch import ForecastReading
from core.reading.readers import Readers
from core.settings import Settings

__all__ = ["open_reading"]


def open_reading(settings: Settings) -> ForecastReading:
    """Read what is published in the workspace of the settings."""
    readers = Readers(settings)
    return ForecastReading(
        forecasts=lambda places, since_ms: forecast_view(readers, places, since_ms),
        coverage=lambda coins, now: coverage_view(readers, coins, now),
        hours_before=lambda coins, origins_ms: hours_before(readers, coins, origins_ms),
    )
