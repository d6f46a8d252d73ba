"""Probabilities of ending beyond a level."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from core.answers.distribution import ending_above
from core.forecast_schema import QUANTILES

FloatArray = npt.NDArray[np.float64]
MEDIAN = QUANTILES.index(0.50)

log_quantiles = st.lists(st.floats(-0.5, 0.5), min_size=9, max_size=9, unique=True).map(
    lambda values: np.sort(np.array(values))[None, :]
)
log_levels = st.floats(-50, 50)


@given(log_quantiles, st.lists(log_levels, min_size=2, max_size=20).map(sorted))
def test_a_higher_level_is_never_more_probable(quantiles: FloatArray, levels: list[float]) -> None:
    """Along rising levels the probability lies within [0, 1] and does not rise."""
    probabilities = ending_above(np.repeat(quantiles, len(levels), axis=0), np.array(levels))
    assert ((probabilities >= 0) & (probabilities <= 1)).all()
    assert (np.diff(probabilities) <= 1e-12).all()


@given(log_quantiles)
def test_the_quantiles_have_their_probabilities(quantiles: FloatArray) -> None:
    """Above each published quantile lies the rest of its probability, above the median a half."""
    found = ending_above(np.repeat(quantiles, 9, axis=0), quantiles[0])
    np.testing.assert_allclose(found, 1 - np.array(QUANTILES), atol=1e-12)


@given(log_quantiles, log_levels)
def test_mirrored_prices_have_mirrored_probabilities(quantiles: FloatArray, level: float) -> None:
    """Ending above a level is what ending below its mirror image is for the mirrored distribution."""
    above = ending_above(quantiles, np.array([level]))
    mirrored = ending_above(-quantiles[:, ::-1], np.array([-level]))
    np.testing.assert_allclose(above + mirrored, 1.0, atol=1e-12)


def test_between_quantiles_a_log_normal_price_is_exact() -> None:
    """For a log-normal price the probabilities are those of the normal distribution."""
    normal = stats.norm(0.001, 0.005)
    levels = np.linspace(normal.ppf(0.03), normal.ppf(0.97), 50)
    found = ending_above(np.tile(normal.ppf(QUANTILES), (50, 1)), levels)
    np.testing.assert_allclose(found, normal.sf(levels), rtol=1e-9)


@pytest.mark.parametrize("level", [0.05, 0.5, 5.0, 500.0])
def test_far_levels_have_tiny_probabilities(level: float) -> None:
    """Far outside the probability is positive, falls with the fourth power, and is larger than the normal one."""
    normal = stats.norm(0, 0.005)
    quantiles = np.tile(normal.ppf(QUANTILES), (2, 1))
    near, far = ending_above(quantiles, np.array([level, 2 * level]))
    assert normal.sf(level) < near < 0.001
    assert far == pytest.approx(near / 16)


def test_equal_quantiles_give_probabilities() -> None:
    """A price that does not move at all ends neither above nor below another price."""
    found = ending_above(np.zeros((2, 9)), np.array([-0.01, 0.01]))
    np.testing.assert_array_equal(found, [1.0, 0.0])
