"""Probabilities of ending beyond a level."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from core.answers.curves import middle_scores
from core.answers.distribution import PriceDistribution, ending_above
from core.forecast_schema import QUANTILES
from tests.support.simulated_moves import simulated_moves

FloatArray = npt.NDArray[np.float64]

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
    """Far outside the probability is positive, falls with the third power, and is larger than the normal one."""
    normal = stats.norm(0, 0.005)
    quantiles = np.tile(normal.ppf(QUANTILES), (2, 1))
    near, far = ending_above(quantiles, np.array([level, 2 * level]))
    assert normal.sf(level) < near < 0.001
    assert far == pytest.approx(near / 8)


def test_equal_quantiles_give_probabilities() -> None:
    """A price that does not move at all ends neither above nor below another price."""
    found = ending_above(np.zeros((2, 9)), np.array([-0.01, 0.01]))
    np.testing.assert_array_equal(found, [1.0, 0.0])


probabilities = st.floats(1e-6, 1 - 1e-6)


@given(log_quantiles, probabilities)
def test_a_quantile_has_its_probability(quantiles: FloatArray, probability: float) -> None:
    """The price at a probability is ended above with the rest of it: quantile and probability are inverse."""
    distribution = PriceDistribution(100.0, quantiles[0])
    price = distribution.quantile(probability)
    assert distribution.above(price) + distribution.below(price) == pytest.approx(1.0)
    spread = 1e-9 * price
    assert distribution.above(price - spread) >= 1 - probability - 1e-9
    assert distribution.below(price + spread) >= probability - 1e-9


@given(log_quantiles, st.floats(1e-300, 1e300))
def test_every_level_has_a_probability(quantiles: FloatArray, level: float) -> None:
    """Whatever the level, above and below are probabilities that are neither negative nor undefined."""
    distribution = PriceDistribution(0.5, quantiles[0])
    assert 0 <= distribution.above(level) <= 1
    assert 0 <= distribution.below(level) <= 1
    assert distribution.above(level) + distribution.below(level) == pytest.approx(1.0)


def test_a_distribution_of_prices_keeps_their_quantiles() -> None:
    """Made of nine prices it gives them back, and the median is exceeded by half."""
    prices = [95.0, 96.0, 97.0, 99.0, 100.5, 101.0, 104.0, 105.0, 106.0]
    distribution = PriceDistribution.of_prices(100.0, prices)
    assert [distribution.quantile(level) for level in QUANTILES] == pytest.approx(prices)
    assert distribution.above(100.5) == pytest.approx(0.5)


def test_a_far_level_below_is_as_exact_as_one_above() -> None:
    """A tiny probability of a fall is not rounded to zero."""
    distribution = PriceDistribution(1.0, stats.norm(0, 0.005).ppf(QUANTILES))
    assert distribution.below(1e-30) == pytest.approx(distribution.above(1e30))
    assert 0 < distribution.below(1e-30) < 1e-12


@pytest.mark.parametrize("centre", [-0.03, 0.0, 0.004])
@pytest.mark.parametrize("spread", [0.0005, 0.005, 0.05])
def test_the_expected_move_is_that_of_simulated_prices(centre: float, spread: float) -> None:
    """It is the mean absolute change of 20,000 prices drawn evenly from the published quantiles with cubic tails."""
    quantiles = centre + spread * stats.t(4).ppf(QUANTILES)
    draws = (np.arange(20_000) + 0.5) / 20_000
    simulated = np.mean(np.abs(np.exp(simulated_moves(quantiles.tolist(), draws.tolist())) - 1))
    assert PriceDistribution(2.5, quantiles).expected_move() == pytest.approx(simulated, rel=0.01)


def test_equally_probable_moves_have_the_published_quantiles() -> None:
    """The share of moves below each published quantile is its probability."""
    quantiles = np.array([-0.03, -0.02, -0.012, -0.004, 0.001, 0.005, 0.01, 0.02, 0.05])
    moves = PriceDistribution(1.0, quantiles).log_moves(middle_scores(2000))
    shares = (moves[:, None] < quantiles).mean(axis=0)
    np.testing.assert_allclose(shares, QUANTILES, atol=1e-12)
