"""Files hold the bounds of forecasts as finely as anybody is shown them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from core.forecast_levels import SHOWN_DIGITS
from core.publishing.parquet import table_bytes
from model.loop.published_digits import rounded_to_shown

NUMBERS = st.floats(1e-15, 1e15) | st.floats(-1.0, 1.0).filter(lambda value: value == 0 or abs(value) > 1e-15)


@given(st.lists(NUMBERS))
def test_eight_digits_stay_and_so_does_the_order(values: list[float]) -> None:
    """A rounded number shows the digits it showed, unless it lies half-way between two; larger ones stay larger."""
    numbers = np.array(values, np.float64)
    rounded = rounded_to_shown(numbers)
    assert np.all(np.diff(rounded[np.argsort(numbers)]) >= 0)
    for before, after in zip(numbers.tolist(), rounded.tolist(), strict=True):
        unit = abs(before) * 10.0 ** (1 - SHOWN_DIGITS)
        assert f"{before:.{SHOWN_DIGITS}g}" == f"{after:.{SHOWN_DIGITS}g}" or abs(before - after) > 0.0499 * unit


def test_rounding_twice_changes_nothing_and_unknown_numbers_stay_unknown() -> None:
    """Published numbers are their own rounding; zero and NaN stay."""
    numbers = np.array([67190.023456789, 1e-7 / 3, -0.25, 0.0, np.nan])
    once = rounded_to_shown(numbers)
    assert np.array_equal(rounded_to_shown(once), once, equal_nan=True)
    assert [f"{value:.8g}" for value in once] == ["67190.023", "3.3333333e-08", "-0.25", "0", "nan"]


def test_files_of_many_coins_are_compressed_more_thoroughly() -> None:
    """A row of bounds takes at least a twentieth less in a file of more rows than a group has."""
    random = np.random.default_rng(0)
    prices = np.repeat(np.exp(random.normal(0.0, 3.0, 2_000)), 12) * np.exp(random.normal(0.0, 0.001, 24_000))
    bounds = pa.table({"q10": rounded_to_shown(0.99 * prices), "q90": rounded_to_shown(1.01 * prices)})
    small, large = (len(table_bytes(rows)) / len(rows) for rows in (bounds.slice(0, 12_000), bounds))
    assert large < 0.95 * small
