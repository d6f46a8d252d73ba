"""Averages moved on over many steps at once against the same averages, one step after the other."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from core.times import MINUTE_MS
from etl.arrays import FloatArray, IntArray
from etl.features import volatility
from etl.features.exponential_averages import least_mean
from etl.features.minute_volatility import after_minutes, initial_minute_state, run_minutes

_WARM = 30
"""Steps with small returns alone, with which averages may have begun."""

_quiet = st.floats(-0.003, 0.003)
_any_return = st.one_of(_quiet, _quiet, st.sampled_from([np.nan, 0.0]), st.floats(-0.5, 0.5))


@st.composite
def _returns(draw: st.DrawFn) -> tuple[FloatArray, FloatArray]:
    """States of 1 to 4 coins, new or not, and 1 to 80 returns of each (n, coins): gaps, repeats, and jumps or none."""
    coins = draw(st.integers(1, 4))
    states = volatility.initial_state(coins)
    if draw(st.booleans()):
        states = volatility.move_one_by_one(states, draw(arrays(np.float64, (_WARM, coins), elements=_quiet)))[-1]
    element = draw(st.sampled_from([_quiet, st.one_of(_quiet, st.just(np.nan)), _any_return]))
    return states, draw(arrays(np.float64, (draw(st.integers(1, 80)), coins), elements=element))


@given(case=_returns())
def test_returns_at_once_move_the_states_as_one_after_the_other(case: tuple[FloatArray, FloatArray]) -> None:
    """The states after the last return are the same to rounding, and a coin's are the same bits without the others."""
    states, r = case
    moved = volatility.move_on(states, r)
    np.testing.assert_allclose(moved, volatility.move_one_by_one(states, r)[-1], rtol=1e-12, atol=1e-18)
    for coin in range(len(states)):
        alone = slice(coin, coin + 1)
        np.testing.assert_array_equal(volatility.move_on(states[alone], r[:, alone]), moved[alone])


_Points = tuple[FloatArray, IntArray]


@st.composite
def _minutes(draw: st.DrawFn) -> tuple[_Points, _Points]:
    """Log prices and event times (n, coins) of 1 to 4 coins: those before, and the last one before 1 to 60 more."""
    coins, points = draw(st.integers(1, 4)), draw(st.integers(2, 61))
    minutes = st.sampled_from(draw(st.sampled_from([[1.0], [0.5, 1.0, 5.0], [0.0, 0.01, 0.5, 1.0, 5.0, 90.0]])))
    element = draw(st.sampled_from([_quiet, _any_return]))
    rows = _WARM + points
    move = draw(arrays(np.float64, (rows, coins), elements=element))
    elapsed = draw(arrays(np.float64, (rows, coins), elements=minutes))
    move[:_WARM] = np.nan_to_num(np.clip(move[:_WARM], -0.003, 0.003))
    known = ~np.isnan(move)
    log_price = np.where(known, np.cumsum(np.where(known & (elapsed > 0), move, 0.0), axis=0), np.nan)
    event_ms = np.cumsum(elapsed * MINUTE_MS, axis=0).astype(np.int64)
    return (log_price[:_WARM], event_ms[:_WARM]), (log_price[_WARM:], event_ms[_WARM:])


@given(case=_minutes(), is_new=st.booleans())
def test_minutes_at_once_move_the_states_as_one_after_the_other(case: tuple[_Points, _Points], is_new: bool) -> None:
    """The states after the last point are the same to rounding, and a coin's are the same bits without the others."""
    (before, before_ms), (log_price, event_ms) = case
    states = initial_minute_state(before.shape[1])
    if not is_new:
        states = run_minutes(states, before[1:], before_ms[1:], before[0], before_ms[0])[-1]
    moved = after_minutes(states, log_price[1:], event_ms[1:], log_price[0], event_ms[0])
    singly = run_minutes(states, log_price[1:], event_ms[1:], log_price[0], event_ms[0])[-1]
    np.testing.assert_allclose(moved, singly, rtol=1e-12, atol=1e-15)
    for coin in range(len(states)):
        own = slice(coin, coin + 1)
        last = log_price[0, own], event_ms[0, own]
        alone = after_minutes(states[own], log_price[1:, own], event_ms[1:, own], *last)
        np.testing.assert_array_equal(alone, moved[own])


@given(
    total=st.floats(0.0, 2.0),
    weight=st.floats(0.001, 1.0),
    steps=st.lists(st.tuples(st.floats(0.01, 1.0), st.floats(0.0, 5.0)), max_size=20),
)
def test_no_step_leaves_a_mean_below_the_bound(total: float, weight: float, steps: list[tuple[float, float]]) -> None:
    """Whatever the steps keep and move towards, after each of them the mean is at least the bound for all of them."""
    bound = least_mean(np.array([total]), np.array([weight]), float(np.prod([kept for kept, _ in steps])))[0]
    assert total / weight >= bound
    for kept, x in steps:
        total, weight = kept * total + (1 - kept) * x, kept * weight + (1 - kept)
        assert total / weight >= bound
