"""Volatility of each coin as recursive averages: one step per 5 minutes, the same on and off the grid.

An exponentially weighted average with a half-life of n steps moves by `s += a (x - s)`, a = 1 - 2^(-1/n). It starts at
zero, beside a weight that moves towards one in the same way; their ratio is the average of the returns seen so far,
from the first return on (the bias correction of Adam: Kingma and Ba, 2015). A missing return moves neither.

The next state depends only on the last state and one return. So the state at an origin off the grid is the grid's state
some steps earlier, moved on over the 5-minute returns that end at the origin.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from core.times import GRID_STEP_MS
from etl.arrays import BoolArray, FloatArray, IntArray
from etl.features.exponential_averages import least_mean, weighted_sum

__all__ = [
    "HALF_LIVES",
    "STATE_WIDTH",
    "initial_state",
    "mean_square_fast",
    "move_on",
    "move_one_by_one",
    "returns",
    "run",
    "seed_hourly",
    "split",
    "vol_fast",
    "vol_mixed",
    "vol_slow",
    "weights",
    "zero_share",
]


HALF_LIVES: Final = (1, 2, 3, 6, 12, 24, 48, 72, 144, 288, 576, 1152)
"""Half-lives in 5-minute steps: 5 minutes to 4 days."""

_N: Final = len(HALF_LIVES)
_FAST: Final = HALF_LIVES.index(72)
_DAY: Final = HALF_LIVES.index(288)
_ZERO: Final = 3 * _N
STATE_WIDTH: Final = 3 * _N + 2
"""Columns of a state: averages of r² and of |r|, their weights, the share of unchanged prices and its weight."""

_DECAY: Final = -np.log(2.0) / np.array(HALF_LIVES, dtype=np.float64)
_HALF_DAY: Final = HALF_LIVES.index(144)
_SOURCE: Final = np.array([*range(_N)] * 3 + [_HALF_DAY] * 2)
"""Place of the half-life of each column of a state."""

_RATE: Final = 1.0 - 2.0 ** (-1.0 / np.array(HALF_LIVES, dtype=np.float64)[_SOURCE])
_JUMP: Final = 20.0
"""Cap of one return in fast volatilities: one 20 % jump must not dominate the averages for a day."""

_CELLS_AT_ONCE: Final = 1 << 16
"""Numbers that averages move towards are written for so many at once: half a megabyte stays in the cache."""

_GUESS: Final = 0.0015
_GUESS_WEIGHT: Final = 0.01
"""Prior return of 15 basis points that makes the volatility finite before any data; it fades within a day."""

_MIN_VOL: Final = 1e-6


def initial_state(coins: int) -> FloatArray:
    """States of coins without any price, shape (coins, STATE_WIDTH)."""
    state = np.zeros((coins, STATE_WIDTH))
    state[:, _FAST] = _GUESS_WEIGHT * _GUESS**2
    state[:, _N + _FAST] = _GUESS_WEIGHT * _GUESS
    state[:, 2 * _N + _FAST] = _GUESS_WEIGHT
    return np.asarray(state)


def move_on(states: FloatArray, r: FloatArray) -> FloatArray:
    """States after n more 5-minute log returns `r` (n, coins); NaN leaves a coin's state as it is.

    The last states of `move_one_by_one`, to rounding, in a few operations instead of n times as many. The share of a
    missing return does not matter, for its size is 0.

    Args:
        states: states before the first return (coins, STATE_WIDTH).
        r: log returns (n, coins).
    """
    size, left = _sizes(r), np.cumsum(~np.isnan(r)[::-1], axis=0)[::-1]
    kept_over = np.exp(np.arange(len(r) + 1)[:, None] * _DECAY)
    share, kept = (kept_over[:-1] - kept_over[1:]).take(left - 1, axis=0, mode="clip"), kept_over[left[0]]
    square, absolute, seen = weighted_sum(share, size * size), weighted_sum(share, size), 1.0 - kept
    unchanged = np.cumsum(share[..., _HALF_DAY] * (r == 0.0), axis=0)[-1]
    gained = np.concatenate([square, absolute, seen, unchanged[:, None], seen[:, _HALF_DAY, None]], axis=1)
    moved = np.asarray(states * kept[:, _SOURCE] + gained)
    capped = _may_be_jumps(states, size).any(axis=0)
    if capped.any():
        moved[capped] = move_one_by_one(states[capped], r[:, capped])[-1]
    return moved


def move_one_by_one(states: FloatArray, r: FloatArray) -> FloatArray:
    """The states after each of the returns that `move_on` takes, shape (n, coins, STATE_WIDTH)."""
    missing, size = np.isnan(r), _sizes(r)
    jumps, gaps = _rows(_may_be_jumps(states, size)), _rows(missing)
    state, result = states, np.empty((len(r), *states.shape))
    at_once = max(1, _CELLS_AT_ONCE // max(1, states.size))
    for start in range(0, len(r), at_once):
        rows = slice(start, start + at_once)
        news = result[rows]
        news[..., 2 * _N :] = 1.0
        news[..., _ZERO] = r[rows] == 0.0
        _put_moves(news, size[rows])
        for row, change in enumerate(news, start):
            if row in jumps:
                _put_moves(change, np.minimum(size[row], _JUMP * vol_fast(state)))
            np.subtract(change, state, out=change)
            np.multiply(change, _RATE, out=change)
            if row in gaps:
                change[missing[row]] = 0.0
            np.add(change, state, out=change)
            state = change
    return result


def _sizes(r: FloatArray) -> FloatArray:
    """|r|; 0 where it is missing."""
    return np.where(np.isnan(r), 0.0, np.abs(r))


def _may_be_jumps(states: FloatArray, size: FloatArray) -> BoolArray:
    """Returns that the cap may bind, whatever comes before them (n, coins)."""
    kept = (1.0 - _RATE[_FAST]) ** len(size)
    least = np.sqrt(least_mean(states[:, _FAST], states[:, 2 * _N + _FAST], kept))
    return np.asarray(size > _JUMP * least)


def _rows(cells: BoolArray) -> set[int]:
    """Numbers of the rows with such a cell."""
    return set(np.flatnonzero(cells.any(axis=1)).tolist())


def _put_moves(news: FloatArray, size: FloatArray) -> None:
    """Write r² and |r| of returns of these sizes (...) into what the averages move towards (..., STATE_WIDTH)."""
    news[..., :_N] = (size * size)[..., None]
    news[..., _N : 2 * _N] = size[..., None]


def returns(log_price: FloatArray, event_ms: IntArray, previous: FloatArray, previous_ms: IntArray) -> FloatArray:
    """Log returns between two points 5 minutes apart, scaled to five minutes of event time.

    The last prices before the two points may lie more or less than 5 minutes apart. Under a random walk the volatility
    grows with the root of the elapsed time, so the return is divided by that root, within a factor of two. NaN where a
    price is missing or where both points have the same price record.
    """
    elapsed = event_ms - previous_ms
    news = elapsed > 0
    factor = np.clip(np.sqrt(GRID_STEP_MS / np.where(news, elapsed, GRID_STEP_MS)), 0.5, 2.0)
    return np.where(news, (log_price - previous) * factor, np.nan)


def run(
    states: FloatArray, log_price: FloatArray, event_ms: IntArray, last_price: FloatArray, last_ms: IntArray
) -> FloatArray:
    """Move the states over n consecutive rows; the states after each, shape (n, coins, STATE_WIDTH).

    The arguments are those of `etl.features.minute_volatility.run_minutes`, on the 5-minute grid.
    """
    r = returns(
        log_price,
        event_ms,
        np.concatenate([last_price[None], log_price[:-1]]),
        np.concatenate([last_ms[None], event_ms[:-1]]),
    )
    return move_one_by_one(states, r)


def weights(state: FloatArray) -> FloatArray:
    """Weights behind the averages (..., half-lives): 0 without returns, close to 1 after many half-lives."""
    return state[..., 2 * _N : 3 * _N]


def split(state: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Mean of r², mean of |r|, and weight, each of shape (..., half-lives); means are NaN before the first return."""
    weight = weights(state)
    seen = np.where(weight > 0, weight, np.nan)
    return state[..., :_N] / seen, state[..., _N : 2 * _N] / seen, weight


def vol_fast(state: FloatArray) -> FloatArray:
    """Volatility of a 5-minute log return, half-life 6 hours.

    It is at least a tenth of the volatility with a half-life of a day.
    """
    fast = state[..., _FAST] / state[..., 2 * _N + _FAST]
    day = state[..., _DAY] / np.maximum(state[..., 2 * _N + _DAY], 1e-12)
    return np.maximum(np.sqrt(np.maximum(fast, 0.01 * day)), _MIN_VOL)


def mean_square_fast(state: FloatArray) -> FloatArray:
    """Mean square of a 5-minute log return, half-life 6 hours, shape (...)."""
    return np.asarray(state[..., _FAST] / state[..., 2 * _N + _FAST])


def vol_slow(state: FloatArray) -> FloatArray:
    """Volatility of a 5-minute log return, half-life 4 days, at least `_MIN_VOL`; the fast one before any data."""
    weight = state[..., 3 * _N - 1]
    slow = np.sqrt(state[..., _N - 1] / np.where(weight > 0, weight, 1.0))
    return np.where(weight > 0, np.maximum(slow, _MIN_VOL), vol_fast(state))


def vol_mixed(state: FloatArray) -> FloatArray:
    """Root of the mean of the fast and the slow variance, shape (...)."""
    return np.sqrt(0.5 * vol_fast(state) ** 2 + 0.5 * vol_slow(state) ** 2)


def zero_share(state: FloatArray) -> FloatArray:
    """Share of 5-minute returns that were exactly zero, with a half-life of 12 hours."""
    return state[..., _ZERO] / np.maximum(state[..., _ZERO + 1], 1e-12)


def seed_hourly(log_price: FloatArray, ts_ms: IntArray) -> FloatArray:
    """State (STATE_WIDTH,) of one coin with only coarse (hourly) prices.

    A return over m steps counts as m 5-minute returns with the same mean square. Half-lives of 6 hours and less stay
    empty, because hourly prices tell nothing about them; the one-day average replaces the prior of the fast volatility,
    with the same weight.
    """
    state = initial_state(1)[0]
    slow = np.array([n > HALF_LIVES[_FAST] for n in (*HALF_LIVES * 3, 0, 0)])
    for bars, r in zip(np.diff(ts_ms) / GRID_STEP_MS, np.diff(log_price), strict=True):
        square = r * r / bars
        x = np.concatenate([np.full(_N, square), np.full(_N, np.sqrt(square)), np.ones(_N + 2)])
        state = np.where(slow, x + (1.0 - _RATE) ** bars * (state - x), state)
    day_weight = state[2 * _N + _DAY]
    if day_weight > 0:
        for first in (0, _N):
            state[first + _FAST] = _GUESS_WEIGHT * state[first + _DAY] / day_weight
    return np.asarray(state)
