"""The diagnostics: processes, files, and what collector and pipeline report."""

from __future__ import annotations

from core.errors import SourceUnavailable
from tests.support.dashboard_page import open_page, text_on
from tests.support.workspace import SampleWorkspace


def test_processes_files_and_facts_are_shown(running: SampleWorkspace) -> None:
    """Files with records and times, the size of the log, collector, pipeline and every process are there."""
    running.heartbeats["collector"].error(SourceUnavailable("HTTP 429"))
    page = open_page(pagina="diagnostico")
    assert not page.exception
    text = text_on(page)
    assert "Registro de previsões: 780 linhas" in text
    assert "Cadência (s): **30**" in text
    assert "Ciclo: **7**" in text
    processes, files = (table.value for table in page.dataframe)
    assert set(processes["Estado"]) == {"rodando"}
    assert {"crypto.db", "latest", "log", "scores"} <= set(files["Dados"])
