"""Names and texts of exports are safe wherever they are opened."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.price_store import Coin
from core.reading.csv_export import file_name, neutralised
from core.settings import Source
from core.workspace import Workspace

LIVE = Workspace(Source.COINGECKO, "brl", Path(), Path(), 0)
DEMO = Workspace(Source.DEMO, "usd", Path(), Path(), 0)


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "  =", "＝", "＋", "－", "＠"])
def test_text_that_looks_like_a_formula_is_neutralised(start: str) -> None:
    """Text that starts like a formula gets an apostrophe; other text stays as it is."""
    text = f"{start}cmd|' /C calc'!A0"
    assert neutralised(text) == f"'{text}"
    assert neutralised("bitcoin") == "bitcoin"


@pytest.mark.parametrize(
    ("coin_id", "expected"),
    [
        ("bitcoin", "historico-bitcoin-demo"),
        ("../../etc/passwd", "historico-etc-passwd-demo"),
        ('a"\r\nX: y', "historico-a-X-y-demo"),
    ],
)
def test_a_file_name_is_safe_and_names_the_source(coin_id: str, expected: str) -> None:
    """A coin's id adds neither folders nor HTTP header lines to the name."""
    assert file_name("historico", Coin(coin_id, "x", "X"), DEMO) == expected
    assert file_name("precos", None, LIVE) == "precos-moedas-coingecko"
