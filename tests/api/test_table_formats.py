"""CSV files are read back without loss and run nothing in a spreadsheet."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import table_formats
from api.entity_tag import table_tag
from api.table_formats import PARTS, WRITERS, ListFormat, flat_table
from api.table_rows import price_rows
from core.price_store import Coin
from core.reading.tables import price_table
from core.settings import Source
from core.workspace import Workspace

BITCOIN = Coin("bitcoin", "btc", "Bitcoin", 1, 1)
LIVE = Workspace(Source.COINGECKO, "brl", Path(), Path(), 0)


def _csv(table: pa.Table) -> str:
    return WRITERS[ListFormat.CSV](flat_table(table, LIVE)).decode()


def test_prices_are_read_back_digit_by_digit() -> None:
    """Numbers keep all their digits, times their offset, unknown values are empty; the source is in every row."""
    prices = price_table([[(1_700_000_000_123, 0.1 + 0.2, None, 1e12, 1_700_000_001_000)]])
    (row,) = csv.DictReader(io.StringIO(_csv(price_rows(BITCOIN, prices, LIVE))))
    assert float(row["preco"]) == 0.1 + 0.2
    assert row["horario"] == "2023-11-14T22:13:20.123+00:00"
    assert (row["valor_de_mercado"], float(row["volume"])) == ("", 1e12)
    assert (row["moeda"], row["id"], row["moeda_cotacao"], row["fonte"]) == ("btc", "bitcoin", "brl", "coingecko")
    assert row["atribuicao"] == "Powered by CoinGecko (https://www.coingecko.com)"


@given(st.lists(st.tuples(st.text(), st.floats(allow_nan=False, allow_infinity=False), st.none() | st.integers(-9, 9))))
def test_any_table_is_read_back(rows: list[tuple[str, float, int | None]]) -> None:
    """Quotes, commas, line ends and all letters survive; formulas get an apostrophe, negative numbers do not."""
    columns = zip(*rows, strict=True) if rows else ((), (), ())
    kinds = (pa.string(), pa.float64(), pa.int64())
    arrays = [pa.array(list(column), kind) for column, kind in zip(columns, kinds, strict=True)]
    text = _csv(pa.table(arrays, ["a", "b", "c"]))
    read = list(csv.reader(io.StringIO(text, newline="")))[1:]
    assert [cells[0] in (row[0], f"'{row[0]}") for cells, row in zip(read, rows, strict=True)] == [True] * len(rows)
    assert [float(cells[1]) for cells in read] == [row[1] for row in rows]
    assert [cells[2] for cells in read] == ["" if row[2] is None else str(row[2]) for row in rows]


def test_pandas_reads_the_times_of_an_export() -> None:
    """`read_csv(parse_dates=…)` gives times, not texts, for prices of whole and of broken seconds."""
    prices = price_table([[(ts_ms, 1.0, None, None, ts_ms) for ts_ms in (2000, 1123)]])
    text = _csv(price_rows(BITCOIN, prices, LIVE))
    read = pd.read_csv(io.StringIO(text), parse_dates=["horario", "coletado_em"])
    assert read["horario"].to_list() == [pd.Timestamp(ts_ms, unit="ms", tz="UTC") for ts_ms in (2000, 1123)]
    assert read["coletado_em"].dtype == read["horario"].dtype


def test_parts_of_csv_join_to_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """A long list that is made in parts is the same file."""
    table = pa.table({"n": list(range(7)), "nome": pa.array(["a,b"] * 7, pa.string())})
    whole = WRITERS[ListFormat.CSV](table)
    monkeypatch.setattr(table_formats, "PART_ROWS", 3)
    parts = [part() for part in PARTS[ListFormat.CSV](table)]
    assert (len(parts), b"".join(parts)) == (4, whole)


def test_a_tag_says_nothing_of_rows_beyond_the_page() -> None:
    """The first rows of a table have the tag of the same rows alone."""
    alone, more = (pa.table({"x": [0.5] * rows, "s": ["a"] * rows}) for rows in (3, 5))
    assert table_tag(more.slice(0, 3), "text/csv") == table_tag(alone, "text/csv") != table_tag(more, "text/csv")
