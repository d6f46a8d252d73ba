"""The distribution of a future price, from its nine published quantiles."""

from __future__ import annotations

from typing import Final

import numpy as np

from core.answers.curves import FloatArray, normal_cdf, normal_scores, scores_of, tail_probability
from core.forecast_schema import QUANTILES

__all__ = ["ending_above"]

_SCORES: Final = normal_scores(QUANTILES)
_MEDIAN: Final = QUANTILES.index(0.50)


def ending_above(log_quantiles: FloatArray, log_level: FloatArray) -> FloatArray:
    """Probability that the price ends above a level.

    Between quantiles the logarithm of the price is linear in the normal score of the probability, which is exact for a
    log-normal price. Beyond the outermost ones the distance from the median has a Pareto tail, see
    `core.answers.curves.TAIL_INDEX`.

    Args:
        log_quantiles: (n, 9) log(quantile / price at the origin), not decreasing in a row.
        log_level: (n,) log(level / price at the origin).

    Returns:
        Probabilities (n,) within [0, 1], not increasing in the level.
    """
    lowest, median, highest = (log_quantiles[:, column] for column in (0, _MEDIAN, -1))
    between = normal_cdf(-scores_of(log_level, log_quantiles, _SCORES))
    above = tail_probability(np.maximum(log_level, highest) - median, highest - median)
    below = tail_probability(median - np.minimum(log_level, lowest), median - lowest)
    return np.select([log_level >= highest, log_level < lowest], [above, 1.0 - below], between)
