"""Losses of forecasts against their outcomes: pinball, Winkler, Brier, absolute error, direction and levels.

Losses of prices are in simple returns (price / price at the origin − 1), so that coins are comparable.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from core.accuracy.scores import SCORE_SUMS
from core.forecast_schema import INTERVALS, QUANTILE_COLUMNS, QUANTILES
from etl.arrays import BoolArray, FloatArray
from model.scoring.level_losses import level_terms

__all__ = ["NAIVE_COLUMNS", "brier", "loss_terms", "pinball", "winkler"]

NAIVE_COLUMNS: Final = tuple(f"naive_{column}" for column in QUANTILE_COLUMNS)
"""The naive benchmark's quantiles as prices, beside those of the forecast."""

_NO_DIRECTION: Final = 1e-9
"""A probability of a rise this close to one half predicts no direction."""


def loss_terms(
    *,
    price_origin: FloatArray,
    quantiles: FloatArray,
    naive: FloatArray,
    mean: FloatArray,
    p_up: FloatArray,
    reach: FloatArray,
    is_model: BoolArray,
    actual: FloatArray,
    high: FloatArray,
    low: FloatArray,
) -> dict[str, FloatArray]:
    """The columns of SCORE_SUMS for n forecasts whose outcome is known.

    Args:
        price_origin: prices at the origins (n,).
        quantiles: price quantiles of the forecasts (n, 9).
        naive: price quantiles of the naive benchmark (n, 9).
        mean: expected prices (n,).
        p_up: probabilities of a rise (n,).
        reach: quantiles of the reach (n, 7); NaN where none was forecast.
        is_model: the model made the forecast (n,), not the baseline.
        actual: realised prices (n,).
        high: highest prices after the origin up to the target (n,); NaN without any.
        low: lowest prices, likewise (n,).

    Returns:
        One array (n,) per column.
    """
    own, benchmark = (prices / price_origin[:, None] - 1 for prices in (quantiles, naive))
    move, point = actual / price_origin - 1, mean / price_origin - 1
    terms = {
        "n": np.ones(len(move)),
        **_spread_losses(own, benchmark, move),
        "abs_error": np.abs(point - move),
        "abs_error_naive": np.abs(move),
        **_direction(p_up, move),
        "forest": is_model.astype(np.float64),
        **level_terms(
            price_origin=price_origin,
            quantiles=quantiles,
            naive=naive,
            reach=reach,
            actual=actual,
            high=high,
            low=low,
        ),
    }
    return {name: terms[name] for name in SCORE_SUMS}


def pinball(quantiles: FloatArray, outcome: FloatArray, levels: Sequence[float] = QUANTILES) -> FloatArray:
    """Pinball loss averaged over the quantiles (n, k) of each of n forecasts; its mean is least at the true quantiles.

    Twice this mean approximates the continuous ranked probability score.

    Sources: Koenker and Bassett (1978), "Regression quantiles"; Gneiting and Raftery (2007), "Strictly proper scoring
    rules, prediction, and estimation", section 6.
    """
    level = np.asarray(levels)
    error = outcome[:, None] - quantiles
    return np.asarray(np.maximum(level * error, (level - 1) * error).mean(axis=1))


def winkler(low: FloatArray, high: FloatArray, outcome: FloatArray, percent: int) -> FloatArray:
    """Width of the central `percent` % interval plus 2 / (1 − percent / 100) times the distance of a miss.

    Source: Winkler (1972), "A decision-theoretic approach to interval estimation".
    """
    miss = np.maximum(low - outcome, 0.0) + np.maximum(outcome - high, 0.0)
    return np.asarray(high - low + 2 / (1 - percent / 100) * miss)


def brier(p_up: FloatArray, move: FloatArray) -> FloatArray:
    """Squared distance between the probability of a rise and the outcome: 1 for a rise, 0 for a fall or no move.

    Source: Brier (1950), "Verification of forecasts expressed in terms of probability".
    """
    return np.asarray((p_up - (move > 0)) ** 2)


def _spread_losses(own: FloatArray, naive: FloatArray, move: FloatArray) -> dict[str, FloatArray]:
    column = {name: number for number, name in enumerate(QUANTILE_COLUMNS)}
    low, high = (column[name] for name in INTERVALS[80])
    inside = {
        f"inside_{percent}": ((own[:, column[first]] <= move) & (move <= own[:, column[last]])).astype(np.float64)
        for percent, (first, last) in INTERVALS.items()
    }
    return inside | {
        "pinball": pinball(own, move),
        "pinball_naive": pinball(naive, move),
        "width_80": own[:, high] - own[:, low],
        "winkler_80": winkler(own[:, low], own[:, high], move, 80),
        "winkler_80_naive": winkler(naive[:, low], naive[:, high], move, 80),
    }


def _direction(p_up: FloatArray, move: FloatArray) -> dict[str, FloatArray]:
    predicted = np.abs(p_up - 0.5) > _NO_DIRECTION
    moved = predicted & (move != 0)
    return {
        "brier": brier(p_up, move),
        "moved": moved.astype(np.float64),
        "hits": (moved & ((p_up > 0.5) == (move > 0))).astype(np.float64),
        "rises": (moved & (move > 0)).astype(np.float64),
    }
