"""CSV exports are read back without loss and run nothing in a spreadsheet."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.price_store import Coin, Price
from core.reading.csv_export import attribution, csv_file, file_name, forecasts_csv, prices_csv
from core.reading.values import LoggedForecast
from core.settings import Source
from core.workspace import Workspace

BITCOIN = Coin("bitcoin", "btc", "Bitcoin", 1, 1)
LIVE = Workspace(Source.COINGECKO, "brl", Path(), Path(), 0)
DEMO = Workspace(Source.DEMO, "usd", Path(), Path(), 0)


def _read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_prices_are_read_back_digit_by_digit() -> None:
    """Numbers keep all their digits, times their offset, unknown values are empty; the source is in every row."""
    prices = [Price("bitcoin", 1_700_000_000_123, 0.1 + 0.2, None, 1e12, 1_700_000_001_000)]
    (row,) = _read(prices_csv(BITCOIN, prices, LIVE))
    assert float(row["preco"]) == 0.1 + 0.2
    assert row["horario"] == "2023-11-14T22:13:20.123+00:00"
    assert (row["valor_de_mercado"], float(row["volume"])) == ("", 1e12)
    assert (row["moeda"], row["id"], row["moeda_cotacao"], row["fonte"]) == ("btc", "bitcoin", "brl", "coingecko")
    assert row["atribuicao"] == "Powered by CoinGecko (https://www.coingecko.com)"


def test_forecasts_carry_outcome_and_error_once_known() -> None:
    """A pending forecast has empty cells where the outcome will be."""
    known = LoggedForecast("bitcoin", 0, 3_600_000, 100.0, 99.0, 90.0, 110.0, 110.0)
    pending = LoggedForecast("bitcoin", 1000, 3_601_000, 100.0, 101.0, 90.0, 110.0, None)
    first, second = _read(forecasts_csv(BITCOIN, [known, pending], DEMO))
    assert float(first["erro_percentual"]) == pytest.approx(-11.0)
    assert [row["id_previsao"] for row in (first, second)] == ["demo.bitcoin.0.60", "demo.bitcoin.1000.60"]
    assert (second["preco_real"], second["erro_percentual"]) == ("", "")
    assert second["horario_previsto"] == "1970-01-01T01:00:01.000+00:00"
    assert second["atribuicao"] == attribution(Source.DEMO)


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "  =", "＝", "＋", "－", "＠"])
def test_text_that_looks_like_a_formula_is_neutralised(start: str) -> None:
    """A coin's name that starts like a formula gets an apostrophe."""
    coin = Coin("x", f"{start}cmd|' /C calc'!A0", "X", 1, 1)
    (row,) = _read(prices_csv(coin, [Price("x", 1000, 1.0, fetched_ms=1000)], DEMO))
    assert row["moeda"] == f"'{coin.symbol}"


def test_negative_numbers_stay_numbers() -> None:
    """A negative number is not changed like a formula."""
    (row,) = _read(csv_file(["a", "b", "c"], [(-1.5, -7, "-1.5")], DEMO))
    assert (row["a"], row["b"], row["c"]) == ("-1.5", "-7", "'-1.5")


@given(st.lists(st.tuples(st.text(), st.floats(allow_nan=False, allow_infinity=False), st.none() | st.integers())))
def test_any_table_is_read_back(rows: list[tuple[str, float, int | None]]) -> None:
    """Quotes, commas, line ends and all letters survive; only formulas get an apostrophe."""
    text = csv_file(["a", "b", "c"], rows, DEMO)
    read = list(csv.reader(io.StringIO(text, newline="")))[1:]
    assert [cells[0] in (row[0], f"'{row[0]}") for cells, row in zip(read, rows, strict=True)] == [True] * len(rows)
    assert [float(cells[1]) for cells in read] == [row[1] for row in rows]
    assert [cells[2] for cells in read] == ["" if row[2] is None else str(row[2]) for row in rows]


@pytest.mark.parametrize(
    ("coin_id", "expected"),
    [
        ("bitcoin", "historico-bitcoin-demo.csv"),
        ("../../etc/passwd", "historico-etc-passwd-demo.csv"),
        ('a"\r\nX: y', "historico-a-X-y-demo.csv"),
    ],
)
def test_a_file_name_is_safe_and_names_the_source(coin_id: str, expected: str) -> None:
    """A coin's id adds neither folders nor HTTP header lines to the name."""
    assert file_name("historico", Coin(coin_id, "x", "X"), DEMO) == expected
    assert file_name("precos", None, LIVE) == "precos-moedas-coingecko.csv"


def test_pandas_reads_the_times_of_an_export() -> None:
    """`read_csv(parse_dates=…)` gives times, not texts, for prices of whole and of broken seconds."""
    prices = [Price("bitcoin", ts_ms, 1.0, fetched_ms=ts_ms) for ts_ms in (2000, 1123)]
    read = pd.read_csv(io.StringIO(prices_csv(BITCOIN, prices, DEMO)), parse_dates=["horario", "coletado_em"])
    assert read["horario"].to_list() == [pd.Timestamp(ts_ms, unit="ms", tz="UTC") for ts_ms in (2000, 1123)]
    assert read["coletado_em"].dtype == read["horario"].dtype
