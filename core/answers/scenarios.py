"""Joint scenarios of several coins: how they moved together before, at the sizes that are forecast now.

Each past half-hour gives one scenario and its mirror image. Within a coin only the ranks of the past moves count: they
are mapped to the quantiles that are published now, so each coin's scenarios are its forecast, and how the coins
move together is what was observed (an empirical copula; Clark et al. 2004, "The Schaake shuffle").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
import numpy.typing as npt

from core.answers.curves import FloatArray, middle_scores
from core.answers.distribution import PriceDistribution

__all__ = ["ScaledHours", "joint_log_moves", "moves_together"]


@dataclass(frozen=True)
class ScaledHours:
    """What followed past half-hours of one coin.

    Attributes:
        origins_ms: (k,) half-hours in UTC milliseconds, increasing.
        moves: (k, 12) log moves from each origin to each horizon, in units of the scale predicted there.
    """

    origins_ms: npt.NDArray[np.int64]
    moves: npt.NDArray[np.float32]


def moves_together(hours: Sequence[ScaledHours], horizon: int) -> FloatArray:
    """Scaled moves (k, c) of c coins over the horizon with this index, at the half-hours that all of them have."""
    shared = reduce(np.intersect1d, (coin.origins_ms for coin in hours))
    rows = [np.searchsorted(coin.origins_ms, shared) for coin in hours]
    moves = [coin.moves[found, horizon] for coin, found in zip(hours, rows, strict=True)]
    return np.column_stack(moves).astype(np.float64)


def joint_log_moves(scaled_moves: FloatArray, forecasts: Sequence[PriceDistribution]) -> FloatArray:
    """Equally probable joint log moves from the origins of the forecasts.

    Args:
        scaled_moves: (k, c) moves of c coins after the same k half-hours.
        forecasts: what is forecast now for each of the c coins.

    Returns:
        Log moves (2 k, c): a column holds the quantiles of its forecast at the middles of 2 k equal shares.
    """
    both_signs = np.concatenate([scaled_moves, -scaled_moves])
    scores = middle_scores(len(both_signs))
    ranks = _ranks(both_signs)
    return np.column_stack([coin.log_moves(scores)[ranks[:, place]] for place, coin in enumerate(forecasts)])


def _ranks(values: FloatArray) -> npt.NDArray[np.int64]:
    """Rank 0 … n - 1 of each value in its column; equal values are ordered by chance, the same in each call."""
    ties = np.random.default_rng(0).random(values.shape)
    order = np.lexsort((ties, values), axis=0)
    return np.argsort(order, axis=0)
