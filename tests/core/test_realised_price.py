"""Outcomes: the vectorised rule equals a plain loop, in gaps and at the edges too."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.realised_price import PRICE_TOLERANCE_MS, realised_extremes, realised_prices
from tests.support.outcomes import plain_outcome

NOON = 1_700_000_000_000


@given(
    st.lists(st.integers(0, 5_000), max_size=40, unique=True).map(sorted),
    st.lists(st.integers(0, 6_000), max_size=30),
    st.integers(0, 6_000),
)
def test_every_target_meets_the_price_that_a_plain_loop_finds(
    seconds: list[int], targets: list[int], newest: int
) -> None:
    """For any times and targets each outcome is the same, NaN if there is none."""
    ts_ms = [1_000 * second for second in seconds]
    prices = [float(number) for number in range(1, len(ts_ms) + 1)]
    found = realised_prices(ts_ms, prices, [1_000 * target for target in targets], 1_000 * newest)
    expected = [plain_outcome(ts_ms, prices, 1_000 * target, 1_000 * newest) for target in targets]
    np.testing.assert_array_equal(found, [np.nan if price is None else price for price in expected])


@pytest.mark.parametrize(
    ("target_ms", "newest_ms", "known"),
    [
        (NOON + PRICE_TOLERANCE_MS, NOON + PRICE_TOLERANCE_MS, True),
        (NOON + PRICE_TOLERANCE_MS + 1, NOON + PRICE_TOLERANCE_MS + 1, False),
        (NOON + 1, NOON, False),
        (NOON, NOON, True),
        (NOON - 1, NOON, False),
    ],
)
def test_a_price_counts_for_seven_and_a_half_minutes(target_ms: int, newest_ms: int, known: bool) -> None:
    """The limit is exact; before the first price and after the newest one there is no outcome."""
    assert np.isfinite(realised_prices([NOON], [1.0], [target_ms], newest_ms)).tolist() == [known]


@given(
    st.dictionaries(st.integers(0, 3_000), st.floats(0.1, 10), max_size=40),
    st.lists(st.tuples(st.integers(0, 3_000), st.integers(1, 3_600)), max_size=20),
)
def test_the_extremes_are_those_of_the_prices_after_the_origin(
    known: dict[int, float], spans: list[tuple[int, int]]
) -> None:
    """Every span has the highest and lowest price after its start up to its end, NaN without any."""
    times = sorted(known)
    origins = [start for start, _ in spans]
    targets = [start + length for start, length in spans]
    high, low = realised_extremes(times, [known[time] for time in times], origins, targets)
    for row, (origin, target) in enumerate(zip(origins, targets, strict=True)):
        within = [price for time, price in known.items() if origin < time <= target]
        np.testing.assert_array_equal([high[row], low[row]], [max(within), min(within)] if within else [np.nan] * 2)
