"""Probabilities of touching a level within the horizon."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from core.answers.touch import touching
from core.forecast_schema import REACH_LEVELS

FloatArray = npt.NDArray[np.float64]

reaches = st.lists(st.floats(1e-9, 0.5), min_size=7, max_size=7, unique=True).map(
    lambda values: np.sort(np.array(values))[None, :]
)


@given(reaches, st.lists(st.floats(0, 50), min_size=2, max_size=20).map(sorted))
def test_a_farther_level_is_never_more_probable(reach: FloatArray, distances: list[float]) -> None:
    """Along rising distances the probability lies within [0, 1] and does not rise."""
    probabilities = touching(np.repeat(reach, len(distances), axis=0), np.array(distances))
    assert ((probabilities >= 0) & (probabilities <= 1)).all()
    assert (np.diff(probabilities) <= 1e-12).all()


@given(reaches)
def test_the_quantiles_have_their_probabilities(reach: FloatArray) -> None:
    """Each quantile of the reach is touched with the rest of its probability, the present price for certain."""
    found = touching(np.repeat(reach, 8, axis=0), np.append(reach[0], 0.0))
    np.testing.assert_allclose(found, [*(1 - np.array(REACH_LEVELS)), 1.0], atol=1e-12)


def test_a_brownian_path_is_exact() -> None:
    """The maximum of a Brownian path touches a level twice as probably as the path ends beyond it."""
    normal = stats.norm(0, 0.005)
    reach = normal.ppf((1 + np.array(REACH_LEVELS)) / 2)
    levels = np.linspace(1e-6, reach[-1], 50)
    np.testing.assert_allclose(touching(np.tile(reach, (50, 1)), levels), 2 * normal.sf(levels), rtol=1e-9)


@pytest.mark.parametrize("distance", [0.1, 1.0, 100.0])
def test_far_levels_have_tiny_probabilities(distance: float) -> None:
    """Far outside the probability is positive and falls with the third power of the distance."""
    reach = np.tile(np.linspace(0.001, 0.01, 7), (2, 1))
    near, far = touching(reach, np.array([distance, 2 * distance]))
    assert 0 < near < 1e-4
    assert far == pytest.approx(near / 8)


def test_a_price_that_rarely_rises_touches_near_levels_rarely() -> None:
    """Where half of the paths never rise, a level just above the price is touched by the other half."""
    reach = np.array([[0.0, 0.0, 0.0, 0.002, 0.004, 0.006, 0.008]])
    assert touching(reach, np.array([0.0])) == 1.0
    assert touching(reach, np.array([1e-12])) == pytest.approx(0.5)


def test_levels_near_a_price_that_often_does_not_rise_are_exact_for_a_shifted_half_normal() -> None:
    """Seen at intervals, a maximum is a half-normal one less a shift, or 0: the line through two quantiles finds it."""
    shift, spread = 0.3, 0.005
    reach = spread * np.maximum(stats.norm.ppf((1 + np.array(REACH_LEVELS)) / 2) - shift, 0.0)
    assert (reach == 0).sum() == 1
    distances = np.linspace(1e-9, reach[2], 40)
    expected = 2 * stats.norm.sf(distances / spread + shift)
    np.testing.assert_allclose(touching(np.tile(reach, (40, 1)), distances), expected, rtol=1e-6)
