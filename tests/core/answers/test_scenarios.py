"""Joint scenarios keep each coin's forecast and the dependence that was observed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from core.answers.distribution import PriceDistribution
from core.answers.scenarios import ScaledHours, joint_log_moves, moves_together
from core.forecast_schema import QUANTILES

FORECASTS = (
    PriceDistribution(100.0, stats.norm(0, 0.005).ppf(QUANTILES)),
    PriceDistribution(2.0, 0.001 + 0.02 * stats.t(3).ppf(QUANTILES)),
    PriceDistribution(1.0, np.array([-0.03, -0.02, -0.012, -0.004, 0.0, 0.005, 0.01, 0.02, 0.05])),
)


def _hours(origins: list[int], first: float = 0.0) -> ScaledHours:
    moves = first + np.arange(len(origins) * 12, dtype=np.float32).reshape(-1, 12)
    return ScaledHours(np.array(origins, dtype=np.int64), moves)


def test_only_half_hours_that_all_coins_have_are_used() -> None:
    """Rows are matched by their origin, and the column of the horizon is taken."""
    found = moves_together([_hours([10, 20, 30, 50]), _hours([20, 30, 40, 50], 1000)], horizon=2)
    np.testing.assert_array_equal(found, [[14, 1002], [26, 1014], [38, 1038]])


def test_coins_without_a_shared_half_hour_have_none() -> None:
    """Where no origin is shared the result is empty, with a column for each coin."""
    assert moves_together([_hours([10]), _hours([20])], horizon=11).shape == (0, 2)


@given(
    st.integers(1, 60).flatmap(
        lambda rows: st.lists(st.lists(st.floats(-9, 9), min_size=3, max_size=3), min_size=rows, max_size=rows)
    )
)
def test_each_coin_keeps_its_published_quantiles(moves: list[list[float]]) -> None:
    """Whatever happened, also with equal moves: a coin's scenarios are its quantiles at equal shares of probability."""
    found = joint_log_moves(np.array(moves), FORECASTS)
    count = 2 * len(moves)
    shares = (np.arange(count) + 0.5) / count
    for column, forecast in zip(np.sort(found, axis=0).T, FORECASTS, strict=True):
        expected = [np.log(forecast.quantile(share) / forecast.price_origin) for share in shares]
        np.testing.assert_allclose(column, expected, atol=1e-12)


@pytest.mark.parametrize("correlation", [-0.6, 0.0, 0.9])
def test_the_dependence_is_the_observed_one(correlation: float) -> None:
    """The rank correlation of two coins' scenarios is that of their past moves."""
    covariance = [[1, correlation], [correlation, 1]]
    past = np.random.default_rng(3).multivariate_normal([0, 0], covariance, 672)
    found = joint_log_moves(past, FORECASTS[:2])
    observed = stats.spearmanr(np.concatenate([past, -past])).statistic
    assert stats.spearmanr(found).statistic == pytest.approx(observed)


def test_unequal_horizons_and_sizes_of_the_past_do_not_matter() -> None:
    """Moves in other units, in the same order, give the same scenarios."""
    past = np.random.default_rng(4).standard_normal((48, 2))
    np.testing.assert_array_equal(joint_log_moves(past, FORECASTS[:2]), joint_log_moves(past**3 * 7, FORECASTS[:2]))


def test_coins_that_stood_still_move_independently() -> None:
    """Equal past moves say nothing about dependence, so their order is left to chance."""
    found = joint_log_moves(np.zeros((672, 2)), FORECASTS[:2])
    assert stats.spearmanr(found).statistic == pytest.approx(0.0, abs=0.1)
