"""The probability that a price touches a level within the horizon, from the published quantiles of its reach."""

from __future__ import annotations

from typing import Final

import numpy as np

from core.answers.curves import FloatArray, normal_cdf, normal_scores, scores_of, tail_probability
from core.forecast_levels import REACH_LEVELS

__all__ = ["touching"]

_SCORES: Final = normal_scores([0.5, *((1 + level) / 2 for level in REACH_LEVELS)])
"""Half-normal scores, from a reach of zero on."""


def touching(reach: FloatArray, distance: FloatArray) -> FloatArray:
    """Probability that the price touches a level on one given side within the horizon.

    Between quantiles the reach is linear in the half-normal score of the probability. That is exact for Brownian
    motion, whose maximum is distributed like the absolute value of its end (reflection principle; Bachelier 1900).
    Observed now and then, a price may not rise at all: below the first positive quantile the line through the first
    two goes on, at most up to the probability of the last quantile that is 0.
    Beyond the outermost one it has a Pareto tail, see `core.answers.curves`.

    Args:
        reach: (n, 7) quantiles, at `REACH_LEVELS`, of the largest log move to that side; not negative, not decreasing.
        distance: (n,) |log(level / price at the origin)|.

    Returns:
        Probabilities (n,) within [0, 1], not increasing in the distance; 1 at distance 0, where the price is.
    """
    knots = np.column_stack([np.zeros(len(reach)), reach])
    highest = reach[:, -1]
    first, near = _scores_near(reach, distance)
    between = 2.0 * normal_cdf(-np.where(distance < first, near, scores_of(distance, knots, _SCORES)))
    beyond = tail_probability(np.maximum(distance, highest), highest)
    return np.select([distance <= 0, distance >= highest], [np.ones_like(distance), beyond], between)


def _scores_near(reach: FloatArray, distance: FloatArray) -> tuple[FloatArray, FloatArray]:
    """First positive quantiles (n,), and half-normal scores (n,) that hold for distances below them."""
    rows = np.arange(len(reach))
    place = np.minimum((reach <= 0).sum(axis=1), len(REACH_LEVELS) - 2)
    first, second = reach[rows, place], reach[rows, place + 1]
    least, score, next_score = (_SCORES[place + step] for step in range(3))
    rise = second - first
    drop = np.divide(first * (next_score - score), rise, out=np.full_like(first, np.inf), where=rise > 0)
    start = np.clip(score - drop, least, score)
    share = np.divide(distance, first, out=np.ones_like(first), where=first > 0)
    return first, start + np.minimum(share, 1.0) * (score - start)
