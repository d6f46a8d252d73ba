"""Rows that wait for their outcome: split by time, joined, and merged from late coins."""

from __future__ import annotations

import numpy as np

from etl.features.targets import STEPS
from model.forecaster.pending_rows import PendingRows, Prediction


def rows(times: list[int], coins: int, value: float, usable: bool = True) -> PendingRows:
    """PendingRows whose every number is `value`."""
    shape = (len(times), coins)
    predicted = Prediction.unknown((*shape, STEPS))
    for values in vars(predicted).values():
        values[:] = value
    return PendingRows(
        ts_ms=np.array(times, dtype=np.int64),
        x=np.full((*shape, 3), value, dtype=np.float32),
        vol_fast=np.full(shape, value),
        usable=np.full(shape, usable),
        **vars(predicted),
    )


def test_a_split_puts_its_own_time_into_the_first_part() -> None:
    """The row at the given time is in the earlier part; either part may be empty."""
    all_rows = rows([1, 2, 3], 2, 1.0)
    first, second = all_rows.split(2)
    assert (first.ts_ms.tolist(), second.ts_ms.tolist()) == ([1, 2], [3])
    assert [len(part) for part in all_rows.split(0)] == [0, 3]
    assert [len(part) for part in all_rows.split(9)] == [3, 0]


def test_a_coin_that_joined_in_between_was_unusable_before() -> None:
    """Joined rows are as wide as the later ones; before a coin joined it is neither usable nor predicted."""
    joined = rows([1, 2], 1, 1.0).then(rows([3], 2, 2.0))
    assert joined.ts_ms.tolist() == [1, 2, 3]
    assert joined.usable[:, 1].tolist() == [False, False, True]
    early = joined.predicted(np.array([0, 1]), np.array([1, 1]))
    assert all(np.isnan(values).all() for values in vars(early).values())
    assert (joined.vol_fast > 0).all()


def test_late_rows_are_merged_without_touching_other_columns() -> None:
    """Usable rows are copied into their coin's column at their time; unusable ones overwrite nothing."""
    waiting = rows([1, 2, 3], 2, 1.0)
    late = rows([2, 3, 4], 1, 5.0)
    late.usable[0] = False
    taken = waiting.put(late, np.array([1]))
    assert taken.ts_ms.tolist() == [1, 2, 3]
    assert taken.vol_fast[:, 1].tolist() == [1.0, 1.0, 5.0]
    assert taken.x[:, 1, 0].tolist() == [1.0, 1.0, 5.0]
    assert (taken.vol_fast[:, 0] == 1.0).all()
    assert waiting.vol_fast[2, 1] == 1.0
    wider = waiting.put(late, np.array([3]))
    assert wider.usable[:, 3].tolist() == [False, False, True]


def test_a_column_that_changes_hands_is_one_of_a_coin_that_joins() -> None:
    """Its rows are what a joining coin's are; other columns stay, and columns that are not there yet are no matter."""
    waiting = rows([1, 2], 2, 1.0)
    emptied = waiting.without(np.array([1, 5]))
    joined = rows([1, 2], 1, 1.0).then(rows([3], 2, 1.0)).split(2)[0]
    for name, values in vars(joined).items():
        np.testing.assert_array_equal(getattr(emptied, name), values, err_msg=name)
    assert waiting.usable.all()


def test_nothing_predicted_is_unknown_everywhere() -> None:
    """Every field of an empty prediction is NaN; predictions of chosen rows are those of their row and column."""
    empty = Prediction.unknown((2, STEPS))
    assert all(values.shape == (2, STEPS) and np.isnan(values).all() for values in vars(empty).values())
    pair = rows([1, 2], 2, 1.0)
    pair.minutes[1, 0] = 7.0
    chosen = pair.predicted(np.array([1, 1]), np.array([0, 1]))
    assert chosen.minutes[:, 0].tolist() == [7.0, 1.0]
    assert chosen.forest.tolist() == np.ones((2, STEPS)).tolist()
