"""A slow reference of the quantile function, written without looking at core/answers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from statistics import NormalDist

from core.forecast_schema import QUANTILES

__all__ = ["simulated_moves"]


def simulated_moves(log_quantiles: Sequence[float], draws: Iterable[float]) -> list[float]:
    """The log move at each uniform draw: a normal law between two quantiles, the inverse cubic law outside."""
    return [_move(log_quantiles, draw) for draw in draws]


def _move(log_quantiles: Sequence[float], draw: float) -> float:
    lowest, median, highest = log_quantiles[0], log_quantiles[4], log_quantiles[8]
    if draw < 0.025:
        return median - (median - lowest) * math.cbrt(0.025 / draw)
    if draw > 0.975:
        return median + (highest - median) * math.cbrt(0.025 / (1 - draw))
    place = sum(level <= draw for level in QUANTILES[:-1])
    low, here, high = (NormalDist().inv_cdf(level) for level in (QUANTILES[place - 1], draw, QUANTILES[place]))
    share = (here - low) / (high - low)
    return (1 - share) * log_quantiles[place - 1] + share * log_quantiles[place]
