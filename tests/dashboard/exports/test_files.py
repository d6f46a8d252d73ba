"""Export files are read back as they were shown, in each dialect."""

from __future__ import annotations

import csv
import io
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.settings import Source
from core.times import parse_iso, to_datetime
from core.workspace import Workspace
from dashboard.exports.files import Format, csv_cells, export_name, write_csv, write_parquet

LIVE = Workspace(Source.COINGECKO, "brl", Path(), Path(), 0)
DEMO = Workspace(Source.DEMO, "usd", Path(), Path(), 0)
SCHEMA = pa.schema([("horario", pa.timestamp("ms", tz="UTC")), ("nome", pa.string()), ("preco", pa.float64())])
ROWS = st.lists(
    st.tuples(
        st.integers(0, 4_000_000_000_000),
        st.text(st.characters(exclude_categories=["Cs"])),
        st.none() | st.floats(allow_nan=False, allow_infinity=False),
    ),
    min_size=1,
    max_size=20,
)


def table_of(rows: list[tuple[int, str, float | None]]) -> pa.Table:
    """The rows as a table."""
    columns = zip(*rows, strict=True)
    return pa.Table.from_arrays(
        [pa.array(column, field.type) for column, field in zip(columns, SCHEMA, strict=True)], schema=SCHEMA
    )


def read_back(data: bytes, form: Format) -> list[list[str]]:
    """Header and rows as a spreadsheet or a program reads them."""
    encoding, delimiter = ("utf-8-sig", ";") if form is Format.EXCEL else ("utf-8", ",")
    return list(csv.reader(io.StringIO(data.decode(encoding), newline=""), delimiter=delimiter))


def number(cell: str, form: Format) -> float | None:
    """A cell as the number that a spreadsheet in Portuguese or a program takes it for."""
    if form is Format.EXCEL:
        assert "." not in cell
        cell = cell.replace(",", ".")
    assert "e" not in cell
    return float(cell) if cell else None


def moment(cell: str, form: Format) -> int:
    """A cell as UTC milliseconds."""
    return parse_iso(datetime.fromisoformat(cell).isoformat() if form is Format.EXCEL else cell)


@pytest.mark.parametrize("form", [Format.EXCEL, Format.CSV])
@given(rows=ROWS)
def test_a_csv_file_is_read_back_as_the_numbers_shown(form: Format, rows: list[tuple[int, str, float | None]]) -> None:
    """Each dialect gives back every time, text and number, and the file has exactly the cells of the preview."""
    table = table_of(rows)
    header, shown = csv_cells(table, LIVE, form)
    read = read_back(write_csv([table], LIVE, form), form)
    assert read == [header, *shown]
    assert [moment(cells[0], form) for cells in read[1:]] == [row[0] for row in rows]
    assert [cells[1] in (row[1], f"'{row[1]}") for cells, row in zip(read[1:], rows, strict=True)] == [True] * len(rows)
    assert [number(cells[2], form) for cells in read[1:]] == [row[2] for row in rows]
    assert {tuple(cells[3:]) for cells in read[1:]} == {("brl", "coingecko", shown[0][-1])}


def test_parquet_keeps_types_and_values() -> None:
    """Tables of several coins are one file with typed times and numbers and the source in each row."""
    tables = [table_of([(1000, "a", 0.1)]), table_of([(2000, "b", None)])]
    read = pq.read_table(io.BytesIO(write_parquet(tables, DEMO)))
    assert read.schema.field("horario").type == SCHEMA.field("horario").type
    assert read["horario"].to_pylist() == [to_datetime(1000), to_datetime(2000)]
    assert read["preco"].to_pylist() == [0.1, None]
    assert set(read["fonte"].to_pylist()) == {"demo"}


def test_the_spreadsheet_file_begins_as_excel_in_portuguese_wants_it() -> None:
    """A byte order mark, semicolons, a decimal comma, and a time without an offset that the header calls UTC."""
    data = write_csv([table_of([(1_700_000_000_000, "bitcoin", 28031.44)])], DEMO, Format.EXCEL)
    header, row = data.decode("utf-8").splitlines()
    assert header.startswith("\ufeffhorario_utc;nome;preco;")
    assert row.startswith("2023-11-14 22:13:20;bitcoin;28031,44;usd;demo;")


@pytest.mark.parametrize(
    ("coins", "workspace", "form", "expected"),
    [
        (["bitcoin"], LIVE, Format.EXCEL, "precos-bitcoin-2026-11-24-24h.csv"),
        (["bitcoin", "ethereum"], LIVE, Format.PARQUET, "precos-2-moedas-2026-11-24-24h.parquet"),
        (["../../etc/passwd"], DEMO, Format.CSV, "precos-etc-passwd-2026-11-24-24h-demo.csv"),
    ],
)
def test_a_file_name_says_what_is_inside(coins: list[str], workspace: Any, form: Format, expected: str) -> None:
    """The name has kind, coin, day and period, and the source where prices are not live; a coin adds no folders."""
    assert export_name("precos", coins, "2026-11-24-24h", workspace, form) == expected
