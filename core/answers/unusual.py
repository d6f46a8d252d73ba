"""How unusual the last hour was, by the forecast that was made before it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from core.answers.curves import FloatArray
from core.answers.distribution import PriceDistribution, ending_above

__all__ = ["UnusualHour", "unusual_hour", "unusual_moves"]


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
    log_move = np.array([math.log(price) - math.log(forecast.price_origin)])
    percentile, probability = unusual_moves(forecast.log_quantiles[None, :], log_move)
    return UnusualHour(price / forecast.price_origin - 1.0, float(percentile[0]), float(probability[0]))


def unusual_moves(log_quantiles: FloatArray, log_move: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Place realised log moves (n,) in the distributions that were forecast for them.

    Args:
        log_quantiles: (n, 9) log(quantile / price at the origin), not decreasing in a row.
        log_move: (n,) log(price / price at the origin).

    Returns:
        Percentiles (n,) and probabilities (n,) as in `UnusualHour`.
    """
    above, below = ending_above(log_quantiles, log_move), ending_above(-log_quantiles[:, ::-1], -log_move)
    return 100.0 * below, np.minimum(1.0, 2.0 * np.minimum(above, below))
