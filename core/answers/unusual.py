"""How unusual the last hour was, by the forecast that was made before it."""

from __future__ import annotations

from dataclasses import dataclass

from core.answers.distribution import PriceDistribution

__all__ = ["UnusualHour", "unusual_hour"]


@dataclass(frozen=True)
class UnusualHour:
    """A realised price within the distribution that was forecast for it.

    Attributes:
        change: of the price within the hour, as a fraction.
        percentile: percent of the forecast distribution below the price.
        probability: that the price ends at least so far out, on either side.
    """

    change: float
    percentile: float
    probability: float


def unusual_hour(forecast: PriceDistribution, price: float) -> UnusualHour:
    """Place a realised price in the distribution that was forecast an hour before."""
    above, below = forecast.above(price), forecast.below(price)
    return UnusualHour(
        change=price / forecast.price_origin - 1.0,
        percentile=100.0 * below,
        probability=min(1.0, 2.0 * min(above, below)),
    )
