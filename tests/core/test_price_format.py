"""Decimals of a price."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.price_format import MOST_DECIMALS, price_decimals


@pytest.mark.parametrize(
    ("price", "decimals"),
    [(12_345_678.9, 0), (67_187.33, 2), (148.21, 2), (1.0002, 4), (0.5123, 4), (0.00002431, 8), (0.0, 2)],
)
def test_prices_have_the_decimals_their_size_needs(price: float, decimals: int) -> None:
    """Dear coins show cents, cheap ones their first four digits, millions none."""
    assert price_decimals(price) == decimals


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_any_float_has_decimals(price: float) -> None:
    """No price, however odd, makes formatting fail."""
    assert 0 <= price_decimals(price) <= MOST_DECIMALS
