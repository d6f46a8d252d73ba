"""Portfolio risk equals a slow count over scenarios, and single coins have the risk of their own forecast."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from core.answers.distribution import PriceDistribution
from core.answers.portfolio import RISK_LEVELS, portfolio_risk
from core.answers.scenarios import joint_log_moves
from core.forecast_schema import INTERVALS, QUANTILES
from tests.support.simulated_moves import simulated_moves

portfolios = st.tuples(
    st.lists(st.floats(0.01, 1e6), min_size=1, max_size=4), st.integers(1, 300), st.integers(0, 2**32 - 1)
)


@given(portfolios)
def test_the_expected_shortfall_is_no_less_than_the_value_at_risk(portfolio: tuple[list[float], int, int]) -> None:
    """The mean of the worst losses is no smaller than the least of them, and both grow with the confidence."""
    values, count, seed = portfolio
    moves = 0.01 * np.random.default_rng(seed).standard_t(3, (count, len(values)))
    risk = portfolio_risk(np.array(values), moves)
    rounding = 1e-9 * risk.value
    for level in RISK_LEVELS:
        assert risk.expected_shortfall[level] >= risk.value_at_risk[level] - rounding
    low, high = RISK_LEVELS
    assert risk.value_at_risk[high] >= risk.value_at_risk[low]
    assert risk.expected_shortfall[high] >= risk.expected_shortfall[low] - rounding
    assert risk.value_at_risk[95.0] == pytest.approx(-risk.ranges[90][0])
    for narrow, wide in zip(sorted(INTERVALS), sorted(INTERVALS)[1:], strict=False):
        assert risk.ranges[wide][0] <= risk.ranges[narrow][0] <= risk.ranges[narrow][1] <= risk.ranges[wide][1]


@given(portfolios)
def test_the_expected_shortfall_is_that_of_a_slow_count(portfolio: tuple[list[float], int, int]) -> None:
    """Each scenario split into 40 equal pieces, the worst twentieth (or fortieth) of the pieces has this mean loss."""
    values, count, seed = portfolio
    moves = 0.01 * np.random.default_rng(seed).standard_t(3, (count, len(values)))
    losses = []
    for row in moves.tolist():
        lost = -sum(value * (np.exp(move) - 1) for value, move in zip(values, row, strict=True))
        losses += [lost] * 40
    losses.sort(reverse=True)
    found = portfolio_risk(np.array(values), moves).expected_shortfall
    for level, pieces in ((95.0, 2 * count), (97.5, count)):
        assert found[level] == pytest.approx(sum(losses[:pieces]) / pieces, rel=1e-6, abs=1e-9 * sum(values))


def test_a_single_coin_has_the_risk_of_its_forecast() -> None:
    """Ranges and value at risk are the published quantiles times the value, whatever happened before."""
    forecast = PriceDistribution(50.0, 0.01 * stats.t(4).ppf(QUANTILES))
    past = np.random.default_rng(5).standard_normal((672, 1))
    risk = portfolio_risk(np.array([200.0]), joint_log_moves(past, [forecast]))
    assert (risk.value, risk.scenarios) == (200.0, 1344)
    for percent, (low, high) in risk.ranges.items():
        expected = [4 * forecast.quantile((1 + sign * percent / 100) / 2) - 200 for sign in (-1, 1)]
        assert [low, high] == pytest.approx(expected, rel=2e-3)
    assert risk.value_at_risk[97.5] == pytest.approx(200 - 4 * forecast.quantile(0.025), rel=2e-3)


def test_two_coins_have_the_risk_of_a_simulation() -> None:
    """Two coins with a known dependence lose what a Monte Carlo simulation of it loses."""
    chance = np.random.default_rng(6)
    quantiles = [0.01 * stats.t(30).ppf(QUANTILES), 0.002 + 0.02 * stats.t(3).ppf(QUANTILES)]
    dependent = chance.multivariate_normal([0, 0], [[1, 0.7], [0.7, 1]], 40_000)
    forecasts = [PriceDistribution(1.0, levels) for levels in quantiles]
    risk = portfolio_risk(np.array([2.0, 1.0]), joint_log_moves(dependent[:20_000], forecasts))
    draws = stats.norm.cdf(dependent[20_000:])
    moves = [simulated_moves(levels.tolist(), draw.tolist()) for levels, draw in zip(quantiles, draws.T, strict=True)]
    changes = np.sort([2 * np.exp(one) + np.exp(two) - 3 for one, two in zip(*moves, strict=True)])
    assert risk.value_at_risk[95.0] == pytest.approx(-changes[1_000], rel=0.04)
    assert risk.expected_shortfall[95.0] == pytest.approx(-changes[:1_000].mean(), rel=0.04)
    assert risk.ranges[50] == pytest.approx([changes[5_000], changes[15_000]], rel=0.04)


def test_opposite_positions_cancel() -> None:
    """A coin held and the same coin sold short neither gain nor lose."""
    forecast = PriceDistribution(50.0, 0.01 * stats.t(4).ppf(QUANTILES))
    past = np.random.default_rng(7).standard_normal((100, 1)).repeat(2, axis=1)
    risk = portfolio_risk(np.array([10.0, -10.0]), joint_log_moves(past, [forecast, forecast]))
    assert risk.expected_shortfall[97.5] == pytest.approx(0.0)


def test_contributions_add_up_and_follow_the_positions() -> None:
    """Positions add up to the expected shortfall; twice the same coin costs twice as much, a hedge lessens the loss."""
    move = 0.01 * np.random.default_rng(0).standard_t(3, 500)
    risk = portfolio_risk(np.array([200.0, 100.0, -50.0]), np.column_stack([move, move, move]))
    for level in RISK_LEVELS:
        double, single, hedge = risk.contributions[level]
        assert double + single + hedge == pytest.approx(risk.expected_shortfall[level])
        assert double == pytest.approx(2 * single)
        assert hedge == pytest.approx(-single / 2)
        assert single > 0
