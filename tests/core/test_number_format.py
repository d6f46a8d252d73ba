"""Decimals and separators of numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.number_format import MAX_DECIMALS, format_number, level_text, price_decimals


@pytest.mark.parametrize(
    ("price", "decimals"),
    [(12_345_678.9, 0), (67_187.33, 2), (148.21, 2), (1.0002, 4), (0.5123, 4), (0.00002431, 8), (0.0, 2)],
)
def test_prices_have_the_decimals_their_size_needs(price: float, decimals: int) -> None:
    """Expensive coins show cents, cheap ones four digits, millions no decimals."""
    assert price_decimals(price) == decimals


@pytest.mark.parametrize(
    ("value", "decimals", "portuguese", "english"),
    [(67_187.33, 2, "67.187,33", "67,187.33"), (-1_234_567.8, 0, "-1.234.568", "-1,234,568"), (0.5, 1, "0,5", "0.5")],
)
def test_separators_follow_the_language(value: float, decimals: int, portuguese: str, english: str) -> None:
    """Portuguese has points between thousands and a decimal comma, English the reverse."""
    assert format_number(value, decimals) == portuguese
    assert format_number(value, decimals, "en") == english


@pytest.mark.parametrize(
    ("price", "text"),
    [(67187.334, "67.187,33"), (0.5123456, "0,5123"), (0.0000123456, "0,00001235"), (2.5, "2,5000"), (0.0, "0,00")],
)
def test_prices_keep_their_significant_digits(price: float, text: str) -> None:
    """Expensive coins show cents, cheap ones four significant digits, with Brazilian separators."""
    assert format_number(price, price_decimals(price)) == text


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_any_float_has_decimals(price: float) -> None:
    """Formatting works for every float."""
    assert 0 <= price_decimals(price) <= MAX_DECIMALS


@pytest.mark.parametrize(
    ("level", "text"),
    [(100_000.0, "100.000"), (67_500.5, "67.500,5"), (92_862.80, "92.862,8"), (0.00002, "0,00002"), (10.0, "10")],
)
def test_a_chosen_level_has_the_decimals_it_was_given(level: float, text: str) -> None:
    """Nothing is added to what somebody typed, and nothing is taken away."""
    assert level_text(level) == text
