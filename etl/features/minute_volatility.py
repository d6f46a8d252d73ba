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
from etl.features.exponential_averages import least_mean, weighted_sum

__all__ = [
    "MINUTES_A_STEP",
    "MINUTE_HALF_LIVES",
    "MINUTE_STATE_WIDTH",
    "after_minutes",
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
_DECAY: Final = -np.log(2.0) / np.array([*MINUTE_HALF_LIVES, _DENSITY_HALF_LIFE])
_SOURCE: Final = np.array([*range(_N)] * 3 + [_N, _N])
"""Place of the half-life of each column of a state."""
_COLUMN_DECAY: Final = _DECAY[_SOURCE]

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
    return _one_by_one(states, *_returns(log_price, event_ms, last_price, last_ms))


def after_minutes(
    states: FloatArray, log_price: FloatArray, event_ms: IntArray, last_price: FloatArray, last_ms: IntArray
) -> FloatArray:
    """The last states of `run_minutes`, to rounding, in a few operations instead of n times as many."""
    size, elapsed, news = _returns(log_price, event_ms, last_price, last_ms)
    left = np.zeros((len(size) + 1, len(states)))
    np.cumsum(np.where(news, elapsed, 0.0)[::-1], axis=0, out=left[-2::-1])
    kept_over = left[..., None] * _DECAY
    np.exp(kept_over, out=kept_over)
    share, kept = kept_over[1:] - kept_over[:-1], kept_over[0]
    absolute, square, seen = weighted_sum(share, size), weighted_sum(share, size * size), 1.0 - kept
    density = weighted_sum(share, 1.0 / elapsed)
    gained = np.concatenate([absolute[:, :_N], square[:, :_N], seen[:, :_N], density[:, _N:], seen[:, _N:]], axis=1)
    moved = np.asarray(states * kept[:, _SOURCE] + gained)
    capped = _may_be_jumps(states, size, elapsed).any(axis=0)
    if capped.any():
        moved[capped] = _one_by_one(states[capped], size[:, capped], elapsed[:, capped], news[:, capped])[-1]
    return moved


def _returns(
    log_price: FloatArray, event_ms: IntArray, last_price: FloatArray, last_ms: IntArray
) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Sizes of the returns of one minute, minutes of event time over which they came, and where there are any."""
    move = log_price - np.concatenate([last_price[None], log_price[:-1]])
    elapsed_ms = event_ms - np.concatenate([last_ms[None], event_ms[:-1]])
    news = (elapsed_ms > 0) & np.isfinite(move)
    elapsed = np.maximum(np.where(news, elapsed_ms, 0) / MINUTE_MS, _SHORTEST_MIN)
    return np.where(news, np.abs(move), 0.0) / np.sqrt(elapsed), elapsed, news


def _one_by_one(states: FloatArray, size: FloatArray, elapsed: FloatArray, news: BoolArray) -> FloatArray:
    jumps, known = _may_be_jumps(states, size, elapsed).sum(axis=1), news.sum(axis=1)
    result = np.empty((len(size), *states.shape))
    state, x, moved = states.copy(), np.ones_like(states), np.empty_like(states)
    for row in range(len(size)):
        if known[row]:
            bounded = np.minimum(size[row], _limit(state)) if jumps[row] else size[row]
            x[:, :_N] = bounded[:, None]
            x[:, _N : 2 * _N] = (bounded * bounded)[:, None]
            x[:, _DENSITY] = 1.0 / elapsed[row]
            np.subtract(state, x, out=moved)
            moved *= np.exp(elapsed[row][:, None] * _COLUMN_DECAY)
            moved += x
            if known[row] == news.shape[1]:
                state, moved = moved, state
            else:
                np.copyto(state, moved, where=news[row][:, None])
        result[row] = state
    return result


def _may_be_jumps(states: FloatArray, size: FloatArray, elapsed: FloatArray) -> BoolArray:
    """Returns that the cap may bind, whatever comes before them (n, coins)."""
    kept = np.exp(elapsed.sum(axis=0) * _DECAY[_N - 1])
    least = least_mean(states[:, _N - 1], states[:, 3 * _N - 1], kept)
    return np.asarray(size > _JUMP * least)


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
