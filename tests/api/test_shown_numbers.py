"""Eight digits of many numbers at once."""

from __future__ import annotations

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from api.shown_numbers import shown, shown_numbers

MIDDLES = st.builds(
    lambda digits, power: (digits + 0.5) * 10.0**power, st.integers(10**7, 10**8 - 1), st.integers(-25, 5)
)


@example([float("inf"), float("-inf"), float("nan"), 0.0, -0.0, 5e-324, 1.7e308])
@given(st.lists(st.one_of(st.floats(), st.floats(1e-9, 1e6), MIDDLES, st.integers(-30, 30).map(lambda n: 10.0**n))))
def test_all_at_once_are_those_one_by_one(numbers: list[float]) -> None:
    """Any numbers, also in the middle of two decimals, powers of ten, and what is not finite: the same bits."""
    one_by_one = np.array([shown(number) for number in numbers], dtype=np.float64)
    together = shown_numbers(np.array(numbers, dtype=np.float64))
    np.testing.assert_array_equal(together, one_by_one)
    is_number = ~np.isnan(one_by_one)  # the sign of what is no number has no meaning
    np.testing.assert_array_equal(np.signbit(together[is_number]), np.signbit(one_by_one[is_number]))
