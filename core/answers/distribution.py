"""The distribution of a future price, from its nine published quantiles."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np

from core.answers.curves import (
    FloatArray,
    middle_scores,
    normal_cdf,
    normal_scores,
    scores_of,
    tail_distance,
    tail_probability,
)
from core.forecast_levels import QUANTILES

__all__ = ["PriceDistribution", "ending_above", "expected_moves"]

_SCORES: Final = normal_scores(QUANTILES)
_MEDIAN: Final = QUANTILES.index(0.50)
_MOVES: Final = 1000
"""Equally probable moves whose mean is the expected one; a million of them would change it by less than a hundredth."""


def ending_above(log_quantiles: FloatArray, log_level: FloatArray) -> FloatArray:
    """Probability that the price ends above a level.

    Between quantiles the logarithm of the price is linear in the normal score of the probability, which is exact for a
    log-normal price. Beyond the outermost ones the distance from the median has a Pareto tail, see
    `core.answers.curves`.

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


def expected_moves(log_quantiles: FloatArray) -> FloatArray:
    """Expected absolute changes (n,) of prices, as fractions of the prices at the origin.

    Args:
        log_quantiles: (n, 9) log(quantile / price at the origin), not decreasing in a row.
    """
    moves: FloatArray = np.abs(np.expm1(log_quantiles @ _equally_probable_moves())).mean(axis=1)
    return moves


@lru_cache(maxsize=1)
def _equally_probable_moves() -> FloatArray:
    """What each of the nine quantiles adds to each of the equally probable log moves (9, `_MOVES`): they are linear."""
    scores = middle_scores(_MOVES)
    return np.stack([PriceDistribution(1.0, unit).log_moves(scores) for unit in np.eye(len(QUANTILES))])


@dataclass(frozen=True)
class PriceDistribution:
    """The distribution of one price at one future time.

    Attributes:
        price_origin: price at the origin.
        log_quantiles: (9,) log(quantile / price at the origin) at `QUANTILES`, not decreasing.
    """

    price_origin: float
    log_quantiles: FloatArray

    @classmethod
    def of_prices(cls, price_origin: float, quantiles: Iterable[float]) -> PriceDistribution:
        """The distribution with these nine prices as its quantiles."""
        return cls(price_origin, np.log(np.fromiter(quantiles, np.float64) / price_origin))

    def above(self, level: float) -> float:
        """Probability that the price ends above a positive level."""
        return _ending_above(self.log_quantiles, self._log(level))

    def below(self, level: float) -> float:
        """Probability that the price does not end above a positive level; exact where it is tiny."""
        return _ending_above(-self.log_quantiles[::-1], -self._log(level))

    def quantile(self, probability: float) -> float:
        """Price that the outcome stays below with a probability within (0, 1)."""
        return self.price_origin * math.exp(self.log_moves(normal_scores([probability]))[0])

    def log_moves(self, scores: FloatArray) -> FloatArray:
        """Log moves (n,) from the origin at the normal scores (n,) of their probabilities."""
        lowest, median, highest = self.log_quantiles[[0, _MEDIAN, -1]]
        moves = np.interp(scores, _SCORES, self.log_quantiles)
        upper, lower = scores > _SCORES[-1], scores < _SCORES[0]
        moves[upper] = median + tail_distance(normal_cdf(-scores[upper]), highest - median)
        moves[lower] = median - tail_distance(normal_cdf(scores[lower]), median - lowest)
        return moves

    def expected_move(self) -> float:
        """Expected absolute change of the price, as a fraction of the price at the origin."""
        return float(expected_moves(self.log_quantiles[None, :])[0])

    def _log(self, level: float) -> float:
        return math.log(level) - math.log(self.price_origin)


def _ending_above(log_quantiles: FloatArray, log_level: float) -> float:
    return float(ending_above(log_quantiles[None, :], np.array([log_level]))[0])
