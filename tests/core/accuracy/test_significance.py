"""Wilson's interval and the Diebold-Mariano test against tables, other implementations and simulated nulls."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from core.accuracy.significance import (
    MINIMUM_LENGTH,
    mean_test,
    standard_error,
    student_t_below,
    student_t_quantile,
    wilson_interval,
)


@settings(deadline=None)
@given(st.integers(0, 400), st.integers(1, 400))
def test_wilson_agrees_with_scipy(successes: int, trials: int) -> None:
    """The interval is the one scipy computes."""
    successes = min(successes, trials)
    expected = stats.binomtest(successes, trials).proportion_ci(method="wilson")
    assert wilson_interval(successes, trials) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_wilson_without_trials_is_unknown() -> None:
    """Without trials there is no interval."""
    assert wilson_interval(0, 0) is None


@settings(deadline=None)
@given(st.floats(-50, 50), st.integers(1, 60))
def test_student_t_agrees_with_scipy(t: float, half_degrees: int) -> None:
    """The closed form for even degrees of freedom is the distribution function."""
    assert student_t_below(t, 2 * half_degrees) == pytest.approx(stats.t.cdf(t, 2 * half_degrees), abs=1e-12)


@pytest.mark.parametrize("degrees", [2, 4, 10, 40])
@pytest.mark.parametrize("share", [0.001, 0.025, 0.5, 0.9, 0.975])
def test_quantiles_of_student_t_agree_with_scipy(share: float, degrees: int) -> None:
    """Bisection finds the quantile."""
    assert student_t_quantile(share, degrees) == pytest.approx(stats.t.ppf(share, degrees), abs=1e-7)


def test_the_standard_error_of_independent_values_is_the_usual_one() -> None:
    """For independent values it is sigma over the root of n on average."""
    rng = np.random.default_rng(5)
    errors = [standard_error(list(rng.normal(0, 2, 64)))[0] ** 2 for _ in range(800)]
    assert np.mean(errors) == pytest.approx(4 / 64, rel=0.08)


def test_the_statistic_agrees_with_a_fourier_transform() -> None:
    """Periodogram and statistic equal what numpy's transform gives."""
    values = np.random.default_rng(3).normal(-0.1, 1.0, 100)
    ordinates = np.abs(np.fft.fft(values))[1:5] ** 2 / 100
    expected = stats.t.cdf(values.mean() / np.sqrt(ordinates.mean() / 100), 8)
    tested = mean_test(list(values))
    assert tested is not None
    assert tested.p_value == pytest.approx(expected, rel=1e-9)


@settings(deadline=None)
@given(st.lists(st.floats(-1, 1), min_size=MINIMUM_LENGTH, max_size=60))
def test_swapping_the_rivals_gives_the_complement(values: list[float]) -> None:
    """Both p-values add up to one, or both are None."""
    own, rival = mean_test(values), mean_test([-value for value in values])
    assert (own is None) == (rival is None)
    if own is not None and rival is not None:
        assert own.p_value + rival.p_value == pytest.approx(1.0)


@pytest.mark.parametrize("values", [[0.0] * 100, [-0.1] * 100, [0.5] * (MINIMUM_LENGTH - 1), []])
def test_constant_or_few_differences_have_no_p_value(values: list[float]) -> None:
    """Constant values and fewer than 24 give None, and no margin either."""
    assert mean_test(values) is None


@pytest.mark.parametrize("overlap", [1, 2, 6])
def test_p_values_are_uniform_if_neither_is_better(overlap: int) -> None:
    """With differences that overlap over several steps the test rejects at its nominal rate."""
    rng = random.Random(overlap)
    p_values = []
    for _ in range(1200):
        noise = [rng.gauss(0.0, 1.0) for _ in range(120 + overlap)]
        values = [sum(noise[t : t + overlap]) for t in range(120)]
        tested = mean_test(values)
        assert tested is not None
        p_values.append(tested.p_value)
    for level in (0.05, 0.25, 0.5, 0.75, 0.95):
        assert np.mean(np.array(p_values) < level) == pytest.approx(level, abs=0.045)
    assert np.mean(np.array(p_values) < 0.05) < 0.08


def test_the_margin_holds_the_true_mean_19_times_of_20() -> None:
    """Of 600 series of independent values around 0, about 95 % have 0 within the margin of their mean."""
    rng = np.random.default_rng(9)
    series = rng.normal(0, 1, (600, 64)).tolist()
    margins = [tested.margin for values in series if (tested := mean_test(values)) is not None]
    held = np.abs(np.mean(series, axis=1)) <= margins
    assert 0.92 <= np.mean(held) <= 0.98
