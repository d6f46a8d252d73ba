"""Probabilities between and beyond known quantiles, many distributions at once."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import lru_cache
from statistics import NormalDist
from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = [
    "FloatArray",
    "middle_scores",
    "normal_cdf",
    "normal_scores",
    "scores_of",
    "tail_distance",
    "tail_probability",
]

FloatArray = npt.NDArray[np.float64]

_TAIL_SHARE: Final = 0.025
"""Probability beyond the outermost quantile."""

_TAIL_INDEX: Final = 3.0
"""Beyond the outermost quantile, at distance d, a distance x or more has the probability 0.025 (d / x)³.

Source: the inverse cubic law of returns, Gopikrishnan et al. (1999), "Scaling of the distribution of fluctuations of
financial market indices". Our own forecasts agree, see docs/forecasting.md.
"""


def normal_cdf(scores: FloatArray) -> FloatArray:
    """Probability that a standard normal variable is below each score."""
    arguments = -scores / math.sqrt(2.0)
    complements = np.fromiter(map(math.erfc, arguments.ravel().tolist()), np.float64, arguments.size)
    below: FloatArray = 0.5 * complements.reshape(arguments.shape)
    return below


def normal_scores(probabilities: Iterable[float]) -> FloatArray:
    """Quantiles of the standard normal distribution at probabilities within (0, 1)."""
    return np.array([NormalDist().inv_cdf(probability) for probability in probabilities])


@lru_cache(maxsize=16)
def middle_scores(count: int) -> FloatArray:
    """Normal scores (count,) of the middles of `count` equal shares of probability, in increasing order."""
    scores = normal_scores((place + 0.5) / count for place in range(count))
    scores.setflags(write=False)
    return scores


def scores_of(values: FloatArray, knots: FloatArray, scores: FloatArray) -> FloatArray:
    """Interpolate linearly, per row, from values between its knots to scores.

    Args:
        values: (n,); beyond the knots the score of the nearest one is meant.
        knots: (n, k), not decreasing in a row. Of equal knots the last one counts at their value.
        scores: (k,), increasing.

    Returns:
        Scores (n,).
    """
    right = np.clip((knots <= values[:, None]).sum(axis=1), 1, len(scores) - 1)
    rows = np.arange(len(values))
    low, high = knots[rows, right - 1], knots[rows, right]
    width = np.where(high > low, high - low, 1.0)
    share = (np.clip(values, low, high) - low) / width
    found: FloatArray = scores[right - 1] + share * (scores[right] - scores[right - 1])
    return found


def tail_probability(distances: FloatArray, outermost: FloatArray) -> FloatArray:
    """Probability (n,) of a distance at least so large, beyond the outermost quantile.

    Args:
        distances: (n,) from the centre, at least `outermost`.
        outermost: (n,) distance of the outermost quantile from the centre, not negative.
    """
    ratio = np.divide(outermost, distances, out=np.ones_like(distances), where=distances > 0)
    probability: FloatArray = _TAIL_SHARE * ratio**_TAIL_INDEX
    return probability


def tail_distance(probabilities: FloatArray, outermost: float) -> FloatArray:
    """Distance (n,) from the centre that is exceeded with each probability (n,); inverse of `tail_probability`."""
    distance: FloatArray = outermost * (_TAIL_SHARE / probabilities) ** (1.0 / _TAIL_INDEX)
    return distance
