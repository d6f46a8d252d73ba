"""Volatility from prices a minute apart: what the 5-minute grid throws away, as averages with half-lives of minutes.

The averages move on a lattice of one-minute points. Between two points with different price records, e minutes of event
time apart, the return divided by the root of e counts with the weight of e minutes: `s += (1 - 2^(-e / half-life))
(x - s)`. So polls of 30 seconds, one or five minutes, repeated values and gaps all give averages over time. The means
are compared with the coin's own mean over a day, from the same prices: noise in every quote widens both alike.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from core.times import GRID_STEP_MS, MINUTE_MS
from etl.arrays import BoolArray, FloatArray, IntArray
from etl.features.volatility import BELOW

__all__ = [
    "MINUTES_A_STEP",
    "MINUTE_HALF_LIVES",
    "MINUTE_STATE_WIDTH",
    "initial_minute_state",
    "mean_minute_return",
    "minute_averages",
    "minute_density",
    "run_minutes",
]

MINUTES_A_STEP: Final = GRID_STEP_MS // MINUTE_MS
MINUTE_HALF_LIVES: Final = (1, 2, 4, 8, 16, 32, 64, 128, 360, 1440)
"""Half-lives in minutes; the last one, a day, is the unit of the others."""

_N: Final = len(MINUTE_HALF_LIVES)
_DENSITY: Final = 3 * _N
MINUTE_STATE_WIDTH: Final = 3 * _N + 2
"""Columns of a state: averages of |r| and of r², their weights, price records a minute, and its weight."""

_DENSITY_HALF_LIFE: Final = 60
_DECAY: Final = -np.log(2.0) / np.array([*MINUTE_HALF_LIVES * 3, _DENSITY_HALF_LIFE, _DENSITY_HALF_LIFE])
_JUMP: Final = 20.0
"""Cap of one return in units of the mean of a day."""

_SHORTEST_MIN: Final = 0.25
"""Records closer together than 15 seconds count as that far apart."""


def initial_minute_state(coins: int) -> FloatArray:
    """States of coins without any price, shape (coins, MINUTE_STATE_WIDTH)."""
    return np.zeros((coins, MINUTE_STATE_WIDTH))


def run_minutes(
    states: FloatArray, log_price: FloatArray, event_ms: IntArray, last_price: FloatArray, last_ms: IntArray
) -> FloatArray:
    """Move the states over n consecutive minute points.

    Args:
        states: states before the first point (coins, MINUTE_STATE_WIDTH).
        log_price: log prices as of the points (n, coins); NaN without one.
        event_ms: event times of these prices in UTC milliseconds (n, coins).
        last_price: log prices as of the point before the first (coins,).
        last_ms: their event times (coins,).

    Returns:
        The states after each point (n, coins, MINUTE_STATE_WIDTH).
    """
    move = log_price - np.concatenate([last_price[None], log_price[:-1]])
    elapsed_ms = event_ms - np.concatenate([last_ms[None], event_ms[:-1]])
    news = (elapsed_ms > 0) & np.isfinite(move)
    elapsed = np.maximum(np.where(news, elapsed_ms, 0) / MINUTE_MS, _SHORTEST_MIN)
    size = np.where(news, np.abs(move), 0.0) / np.sqrt(elapsed)
    return _moved(states, size, elapsed, news)


def _moved(states: FloatArray, size: FloatArray, elapsed: FloatArray, news: BoolArray) -> FloatArray:
    """The states after each point; a mean of |r| falls no faster than by its decay, so most returns need no cap."""
    least = states[:, _N - 1] * np.exp(elapsed.sum(axis=0) * _DECAY[_N - 1]) * BELOW
    jumps, known = (size > _JUMP * least).sum(axis=1), news.sum(axis=1)
    result = np.empty((len(size), *states.shape))
    state, x, moved = states.copy(), np.ones_like(states), np.empty_like(states)
    for row in range(len(size)):
        if known[row]:
            bounded = np.minimum(size[row], _limit(state)) if jumps[row] else size[row]
            x[:, :_N] = bounded[:, None]
            x[:, _N : 2 * _N] = (bounded * bounded)[:, None]
            x[:, _DENSITY] = 1.0 / elapsed[row]
            np.subtract(state, x, out=moved)
            moved *= np.exp(elapsed[row][:, None] * _DECAY)
            moved += x
            if known[row] == news.shape[1]:
                state, moved = moved, state
            else:
                np.copyto(state, moved, where=news[row][:, None])
        result[row] = state
    return result


def _limit(state: FloatArray) -> FloatArray:
    limit = np.where(state[:, 3 * _N - 1] > 0, _JUMP * mean_minute_return(state), np.inf)
    return np.maximum(limit, 1e-7)


def minute_averages(state: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Means of |r| and of r² per minute, each of shape (..., half-lives); NaN before the first return."""
    weight = state[..., 2 * _N : 3 * _N]
    seen = np.where(weight > 0, weight, np.nan)
    return state[..., :_N] / seen, state[..., _N : 2 * _N] / seen


def mean_minute_return(state: FloatArray) -> FloatArray:
    """Mean |r| of one minute over the last day, shape (...); NaN before the first return."""
    weight = state[..., 3 * _N - 1]
    return np.asarray(state[..., _N - 1] / np.where(weight > 0, weight, np.nan))


def minute_density(state: FloatArray) -> FloatArray:
    """Price records a minute, with a half-life of an hour; 0 until an hour of them is known."""
    weight = state[..., _DENSITY + 1]
    return np.where(weight >= 0.5, state[..., _DENSITY] / np.where(weight > 0, weight, 1.0), 0.0)
