"""The rule for prices is the same in Python, in arrays and in the database."""

from __future__ import annotations

import math
import sqlite3
from contextlib import closing

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.price_rules import COIN_ID, MAX_PRICE, is_price
from core.price_store.sqlite.schema import migrate
from etl.arrays import are_prices

CASES = [(1e-12, True), (1.0, True), (1e299, True), (0.0, False), (-1.0, False), (MAX_PRICE, False)]
CASES += [(math.inf, False), (-math.inf, False), (math.nan, False), (5e-324, True)]


@pytest.mark.parametrize(("value", "expected"), CASES)
def test_a_price_is_positive_and_finite_and_the_database_agrees(value: float, *, expected: bool) -> None:
    """Zero, negative, infinite, NaN and huge values are invalid, and SQLite refuses them."""
    assert is_price(value) is expected
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrate(connection)
        price = ("a", 1, value, None, None, 1)
        tables = {"settled_prices": price, "recent_prices": (0, *price), "hourly": price[:3]}
        for table, row in tables.items():
            places = ", ".join("?" * len(row))
            stored = connection.execute(f"INSERT OR IGNORE INTO {table} VALUES ({places})", row).rowcount  # noqa: S608
            assert bool(stored) is expected


@given(st.lists(st.floats()))
def test_arrays_follow_the_same_rule(values: list[float]) -> None:
    """`are_prices` agrees with `is_price` on every value."""
    assert are_prices(np.array(values, dtype=np.float64)).tolist() == [is_price(value) for value in values]


@pytest.mark.parametrize("text", ["", "Bitcoin", "-a", "a/b", "../etc/passwd", "a b", "a\n", "x" * 101])
def test_other_texts_are_not_coin_ids(text: str) -> None:
    """Ids are lower-case words of bounded length, because they become parts of file names and URLs."""
    assert COIN_ID.fullmatch(text) is None
    assert COIN_ID.fullmatch("usd-coin.e_1")
