"""docs/prices_and_forecasts.ipynb reads the API and the Parquet files with pandas."""

from __future__ import annotations

import json
from typing import Any

import pytest

from core.settings import PROJECT
from tests.support.workspace import SampleWorkspace

NOTEBOOK = PROJECT / "docs" / "prices_and_forecasts.ipynb"


def test_the_notebook_reads_api_and_files(
    filled: SampleWorkspace, served: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its cells, run one after another, give the market, a history, the log, and the same forecasts from the files."""
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    known: dict[str, Any] = {}
    for cell in cells:
        if cell["cell_type"] == "code":
            text = "".join(cell["source"]).replace("http://127.0.0.1:8000", served)
            exec(text.replace('Path("../data")', f"Path({str(filled.workspace.root)!r})"), known)  # noqa: S102 - the thing tested
    assert known["status"]["dados_reais"] is False
    assert set(known["market"]["id"]) == {coin.id for coin in filled.coins}
    assert known["history"].index.is_monotonic_increasing
    assert len(known["moves"]) >= 24
    latest = known["latest"].query("horizon_min == 60").set_index("coin")["mean"]
    assert latest["bitcoin"] == pytest.approx(known["market"].set_index("id")["previsao"]["bitcoin"])
    assert len(known["stored_log"]) >= len(known["log"]) > 0
    assert "dentro da faixa" in capsys.readouterr().out
