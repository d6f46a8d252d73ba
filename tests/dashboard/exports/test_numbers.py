"""Exported numbers have the digits that are real."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from dashboard.exports.numbers import forecast_price, significant, stored_price

QUOTES = st.decimals(min_value="0.000001", max_value="999999", places=6).map(float)


@given(QUOTES)
def test_a_price_survives_its_logarithm(price: float) -> None:
    """What a logarithm and its inverse add to a quoted price is gone: it equals the stored one, digit by digit."""
    assert stored_price(math.exp(math.log(price))) == stored_price(price) == price


def test_a_forecast_has_the_decimals_of_its_price() -> None:
    """Two decimals for a price in cents, eight for a small coin, and no more than four beyond what the page shows."""
    assert forecast_price(28041.123456789, 28031.440000000013) == 28041.12
    assert forecast_price(0.0000249123, 0.00002431) == 0.00002491
    assert forecast_price(1.00012345678, 1.0) == 1.0001
    assert forecast_price(67195.123456789, 67119.5964413217) == 67195.123457


def test_what_is_no_number_is_unknown() -> None:
    """A missing value and NaN are left empty; others keep so many significant digits."""
    assert significant(None, 3) is None
    assert significant(math.nan, 3) is None
    assert significant(0.000123456, 3) == 0.000123
