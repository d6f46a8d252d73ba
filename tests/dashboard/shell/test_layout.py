"""The page around the views: banner, language, attribution, and errors of every kind as sentences."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from core.processes.health_schema import Step
from core.times import HOUR_MS
from core.wording import message
from dashboard.views import VIEWS
from tests.support.dashboard_page import cards_on, chart_on, charts_on, open_page, text_on
from tests.support.workspace import SampleWorkspace

Make = Callable[..., SampleWorkspace]


def test_english(running: SampleWorkspace) -> None:
    """The page is in English when the address asks for it."""
    page = open_page(idioma="en", moeda="bitcoin")
    assert cards_on(page)["Price now"] == "$67,187.33"
    assert "SIMULATED DATA" in text_on(page)


@pytest.mark.parametrize(("locale", "card"), [("pt-PT", "Preço agora"), ("de-DE", "Price now"), (None, "Preço agora")])
def test_the_browser_chooses_the_first_language(running: SampleWorkspace, locale: str | None, card: str) -> None:
    """Portuguese for its readers and for the unknown, English for all others; the address decides over both."""
    assert card in cards_on(open_page(locale=locale, pagina="moeda"))
    assert "Price now" in cards_on(open_page(locale=locale, pagina="moeda", idioma="en"))


def test_the_english_page_translates_problems_and_facts(make_workspace: Make) -> None:
    """Banner and facts show in English what the processes report as codes."""
    workspace = make_workspace()
    workspace.beat(
        "collector", message=message("collector.collecting", coins=message("suite.coins", coins=10), cadence=30)
    )
    workspace.fill_prices()
    workspace.beat("pipeline", failed_steps={Step.TRAINING: "full"}, message=message("prices.none_stored"))
    text = text_on(open_page(idioma="en", pagina="diagnostico"))
    assert "Failed to train: full." in text
    assert "no prices are stored yet" in text
    assert "moedas" not in text


def test_stale_prices_and_stopped_processes_are_announced(make_workspace: Make) -> None:
    """Old prices and a stopped collector are in the banner; the last data stay visible."""
    workspace = make_workspace("coingecko")
    workspace.now -= 2 * HOUR_MS
    workspace.fill_prices()
    workspace.publish_forecasts()
    text = text_on(page := open_page(pagina="moeda"))
    assert "O processo coletor está parado." in text
    assert "Os preços estão parados há 2\u00a0h." in text
    assert charts_on(page)


def test_live_data_have_no_banner(make_workspace: Make) -> None:
    """A healthy live suite has neither bar nor watermark."""
    make_workspace("coingecko").run()
    page = open_page(pagina="moeda")
    assert not any("data-notice" in str(html.value) for html in page.html)
    assert all(note["text"] != "DADOS SIMULADOS" for note in chart_on(page)["layout"]["annotations"])


def test_simulated_prices_are_not_attributed_to_coingecko(running: SampleWorkspace) -> None:
    """The footer says that prices are simulated, and so does the title of the tab, which has coin and price."""
    page = open_page(moeda="bitcoin")
    assert "Mercado simulado: nenhum preço é real · Previsões estatísticas" in text_on(page)
    assert "Powered by" not in text_on(page)
    assert page.session_state["page_title"].startswith("DADOS SIMULADOS · BTC US$\u00a067.187,33 · ")


def test_live_prices_are_attributed(make_workspace: Make) -> None:
    """CoinGecko is named with a link below live prices; the tab has coin and price alone."""
    make_workspace("coingecko").run()
    page = open_page(idioma="en", moeda="shiba-inu")
    assert "Prices: Powered by [CoinGecko](https://www.coingecko.com)" in text_on(page)
    assert page.session_state["page_title"].startswith("SHIB $0.00002431 · ")


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_draws_without_a_forecast(make_workspace: Make, view: str) -> None:
    """Before the first forecast no view fails."""
    make_workspace().fill_prices(hours=2)
    assert not open_page(pagina=view).exception


@pytest.mark.parametrize("view", VIEWS)
def test_damaged_forecasts_are_announced(running: SampleWorkspace, view: str) -> None:
    """The banner names the damaged forecasts; no view shows a traceback."""
    latest = running.publisher.manifest.entries["latest"].file
    (running.workspace.processed / latest).write_bytes(b"PAR1 no more")
    page = open_page(pagina=view)
    assert not page.exception
    assert "danificadas" in text_on(page)


def test_a_damaged_price_store_is_announced(running: SampleWorkspace) -> None:
    """A database full of rubbish leads to a sentence as well."""
    running.close()
    for path in running.workspace.root.glob("crypto.db*"):
        path.write_bytes(b"rubbish" * 1000)
    page = open_page()
    assert not page.exception
    assert "danificada" in text_on(page)


def test_invalid_settings_are_named(make_workspace: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page names a variable with a wrong value, in its own language."""
    make_workspace()
    monkeypatch.setenv("CRYPTO_INTERVAL", "soon")
    for language, reason in (("pt", "deve ser um número"), ("en", "must be a number")):
        page = open_page(idioma=language)
        assert not page.exception
        assert f"CRYPTO_INTERVAL=soon: {reason}" in text_on(page)


@pytest.mark.parametrize(
    ("given", "view"), [("acuracia", "precisao"), ("Acurácia", "precisao"), ("market", "visao"), ("previsao", "moeda")]
)
def test_a_page_answers_to_its_other_names(running: SampleWorkspace, given: str, view: str) -> None:
    """An address with an old, an English or an accented name opens the page, without a remark."""
    page = open_page(pagina=given)
    assert dict(page.query_params)["pagina"] == view
    assert not page.warning


def test_a_price_store_of_a_newer_release_is_named(running: SampleWorkspace) -> None:
    """The page says that the program is too old, instead of something unforeseen."""
    with closing(sqlite3.connect(running.workspace.database)) as connection:
        connection.execute("PRAGMA user_version = 99")
    page = open_page(pagina="moeda")
    assert not page.exception
    assert "atualize o programa" in text_on(page)


def test_a_recording_that_is_gone_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dashboard of its own, told to show the replay of a missing file, says which file it misses."""
    for name, value in {"SOURCE": "replay", "REPLAY": "gone.parquet", "DATA_DIR": "data"}.items():
        monkeypatch.setenv(f"CRYPTO_{name}", value if name == "SOURCE" else str(tmp_path / value))
    page = open_page(moeda="bitcoin")
    assert not page.exception
    assert "gone.parquet" in text_on(page)
