"""How unusual the last hour was."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from core.answers.distribution import PriceDistribution
from core.answers.unusual import unusual_hour
from core.forecast_schema import QUANTILES

FORECAST = PriceDistribution(200.0, stats.norm(0, 0.01).ppf(QUANTILES))


@pytest.mark.parametrize(
    ("price", "percentile", "probability"),
    [
        (200.0, 50.0, 1.0),
        (FORECAST.quantile(0.9), 90.0, 0.2),
        (FORECAST.quantile(0.1), 10.0, 0.2),
        (FORECAST.quantile(0.975), 97.5, 0.05),
    ],
)
def test_a_price_has_its_percentile_and_two_sided_probability(
    price: float, percentile: float, probability: float
) -> None:
    """At the median an hour is as usual as can be; at a quantile both tails count."""
    hour = unusual_hour(FORECAST, price)
    assert hour.percentile == pytest.approx(percentile)
    assert hour.probability == pytest.approx(probability)
    assert hour.change == pytest.approx(price / 200.0 - 1)


@given(st.floats(1e-12, 1e12))
def test_any_price_is_placed(price: float) -> None:
    """Percentile and probability stay within their ranges, and far prices are improbable rather than undefined."""
    hour = unusual_hour(FORECAST, price)
    assert 0 <= hour.percentile <= 100
    assert 0 < hour.probability <= 1
