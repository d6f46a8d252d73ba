"""Tables as JSON, against the standard library."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import json_rows
from core.times import iso

_SCHEMA = pa.schema(
    {
        "horario": pa.timestamp("ms", "UTC"),
        "preco": pa.float64(),
        "n": pa.int64(),
        "vivo": pa.bool_(),
        'nome "x"': pa.string(),
        "faixa": pa.struct({"minimo": pa.float64(), "maximo": pa.float64()}),
    }
)
_NUMBERS = st.none() | st.floats()
_ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "horario": st.none() | st.integers(-(10**12), 10**14),
            "preco": _NUMBERS,
            "n": st.none() | st.integers(-(2**53), 2**53),
            "vivo": st.none() | st.booleans(),
            'nome "x"': st.none() | st.text(),
            "faixa": st.none() | st.fixed_dictionaries({"minimo": _NUMBERS, "maximo": _NUMBERS}),
        }
    ),
    max_size=20,
)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if abs(value) < float("inf") else None
    return {name: _finite(item) for name, item in value.items()} if isinstance(value, dict) else value


@given(rows=_ROWS)
def test_every_value_comes_back_exactly(rows: list[dict[str, Any]]) -> None:
    """Numbers to the last bit, texts of any characters, times as everywhere else, what is not finite as null."""
    table = pa.Table.from_pylist(rows, _SCHEMA)
    expected = [_finite(row) for row in rows]
    for row in expected:
        row["horario"] = None if row["horario"] is None else iso(row["horario"])
    assert json.loads(json_rows.json_rows(table)) == expected


def test_numbers_are_written_as_elsewhere() -> None:
    """A whole number that is not an integer keeps its decimal point, as in CSV and in other answers."""
    numbers = [1.0, -0.0, 1e9, 67187.33, 1e16, 1e22, 5e-324]
    assert json_rows.json_rows(pa.table({"x": numbers})).count(b".0}") == 3
    assert [row["x"] for row in json.loads(json_rows.json_rows(pa.table({"x": numbers})))] == numbers


def test_parts_join_to_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also with no row, one part exactly, and a part of one row."""
    monkeypatch.setattr(json_rows, "PART_ROWS", 3)
    for rows in (0, 1, 3, 4, 7):
        table = pa.table({"n": list(range(rows)), "fonte": pa.array(["demo"] * rows, pa.string())})
        parts = json_rows.json_parts(table)
        assert b"".join(part() for part in parts) == json_rows.json_rows(table)
        assert len(parts) == max(1, -(-rows // 3))


def test_repeated_texts_and_unknown_types() -> None:
    """Dictionary columns are written as their texts; a type without a JSON form is refused."""
    column = pa.array(["a", "b", "a"]).dictionary_encode()
    assert json.loads(json_rows.json_rows(pa.table({"x": column}))) == [{"x": "a"}, {"x": "b"}, {"x": "a"}]
    same = pa.table({"x": pa.array(["a", "a"]), "y": pa.array(["b", "b"])})
    assert json.loads(json_rows.json_rows(same)) == [{"x": "a", "y": "b"}] * 2
    with pytest.raises(TypeError, match="no JSON for a column of"):
        json_rows.json_rows(pa.table({"x": [datetime(2026, 1, 1, tzinfo=UTC).date()]}))
