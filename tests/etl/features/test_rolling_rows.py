"""Long arrays move on in place."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from etl.features.rolling_rows import RollingRows


@given(st.lists(st.integers(1, 6), max_size=12), st.integers(1, 250))
def test_the_rows_are_the_last_of_all(lengths: list[int], most: int) -> None:
    """Whatever comes in, however long: the rows are the last ones of everything put together."""
    everything = np.zeros((0, 2, 3))
    rolling = RollingRows(most, everything)
    for number, length in enumerate(length * most // 5 + 1 for length in lengths):
        later = np.arange(6.0 * length).reshape(length, 2, 3) + 100.0 * number
        rolling.append(later)
        everything = np.concatenate([everything, later])
        assert np.array_equal(rolling.rows, everything[-most:])


@given(st.integers(0, 9), st.integers(1, 5), st.integers(0, 12))
def test_what_is_put_replaces_the_rows_that_are_kept(rows: int, put: int, later: int) -> None:
    """Values for rows that have left, or partly left, change nothing but the rows that are there."""
    rolling = RollingRows(7, np.zeros((rows, 3)))
    values = np.arange(1.0, put + 1)[:, None]
    rolling.put(np.array([1]), values, later)
    expected = np.zeros(put + later + 20)
    expected[20 : 20 + put] = values[:, 0]
    kept = min(rows, 7)
    assert rolling.rows[:, 1].tolist() == expected[len(expected) - kept :].tolist()
    assert not rolling.rows[:, [0, 2]].any()


def test_added_columns_are_the_same_in_each_row() -> None:
    """Earlier columns stay, and rows that come later have all of them."""
    rolling = RollingRows(2, np.array([[1.0], [2.0]]))
    rolling.widen(np.array([8.0, 9.0]))
    rolling.append(np.array([[3.0, 4.0, 5.0]]))
    assert rolling.rows.tolist() == [[2.0, 8.0, 9.0], [3.0, 4.0, 5.0]]
