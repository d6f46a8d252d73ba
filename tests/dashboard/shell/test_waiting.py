"""The page before there are data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from core.wording import message
from tests.support.dashboard_page import charts_on, open_page, text_on
from tests.support.workspace import SampleWorkspace

Make = Callable[..., SampleWorkspace]


def test_an_empty_folder_says_how_to_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any data the page names the command, and draws no empty chart."""
    monkeypatch.setenv("CRYPTO_DATA_DIR", str(tmp_path / "nowhere"))
    page = open_page()
    assert not page.exception
    assert "python run_all.py" in text_on(page)
    assert not charts_on(page)


def test_the_first_back_fill_shows_its_progress(make_workspace: Make) -> None:
    """While the first history is fetched, a bar shows how many coins are done."""
    workspace = make_workspace()
    text = message("text", text="buscando cardano")
    workspace.beat("collector", backfill_done=3, backfill_total=10, message=text)
    workspace.beat("pipeline")
    page = open_page()
    assert not page.exception
    assert page.progress[0].value == 30
    assert "buscando cardano (histórico\\: 3 de 10 moedas)" in page.progress[0].text
    assert "Preparando os dados" in text_on(page)


def test_the_english_page_translates_the_progress(make_workspace: Make) -> None:
    """The collector's message, a code with values, is shown in English."""
    workspace = make_workspace()
    text = message("collector.collecting", coins=message("suite.coins", coins=10), cadence=30)
    workspace.beat("collector", backfill_done=3, backfill_total=10, message=text)
    page = open_page(idioma="en")
    assert "Collector: 10 coins every 30 s (history: 3 of 10 coins)" in page.progress[0].text.replace("\\", "")
