"""The diagnostics page: a verdict first, then numbers with units, and technical names behind a fold."""

from __future__ import annotations

from tests.support.dashboard_page import cards_on, open_page, text_on
from tests.support.workspace import SampleWorkspace


def test_a_healthy_suite_is_in_order(running: SampleWorkspace) -> None:
    """One line says so; cards have units; processes are listed; details have files and facts."""
    page = open_page(pagina="diagnostico")
    assert not page.exception
    assert [box.value for box in page.success] == ["**Tudo em ordem**"]
    assert not page.error
    cards = cards_on(page)
    assert cards["Duração do último ciclo"] == "0,80\u00a0s"
    assert cards["Livre em disco"].endswith("GB")
    assert "previsão de" in text_on(page)
    text = text_on(page)
    assert "Registro de previsões: 780 linhas" in text
    assert "Coleta a cada: **30\u00a0s**" in text
    processes, details, files = (table.value for table in page.dataframe)
    assert set(processes["Estado"]) == {"rodando"}
    assert "PID" not in processes
    assert "PID" in details
    assert {"crypto.db", "latest", "log", "scores"} <= set(files["Nome técnico"])
    assert {"Base de preços", "Previsões atuais"} <= set(files["Dados"])


def test_an_ill_suite_says_first_what_is_wrong(running: SampleWorkspace) -> None:
    """A stopped collector is the first line, in red, with since when and what to do; nothing claims to be in order."""
    running.stop("collector")
    page = open_page(pagina="diagnostico")
    assert not page.exception
    assert not page.success
    assert page.error[0].value.startswith("**O processo coletor está parado. Desde")
    assert "reinicia sozinho" in page.error[0].value
