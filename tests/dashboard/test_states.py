"""What the page says in every state a suite can be in: nothing there, waiting, stale, dead, damaged, locked."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from core.processes.health_schema import Step
from core.times import HOUR_MS
from core.wording import Message, message

Make = Callable[..., Any]
Open = Callable[..., AppTest]
Read = Callable[[AppTest], str]


def said(text: str) -> Message:
    """Plain text as a process's message."""
    return message("text", text=text)


def figure(page: AppTest) -> dict[str, Any]:
    """The first chart of the page as the browser gets it."""
    spec: dict[str, Any] = json.loads(page.get("plotly_chart")[0].proto.spec)
    return spec


def test_nothing_there_yet(
    make_market: Make, open_page: Open, read: Read, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """Without any data the page says how to start, and draws no empty chart."""
    make_market()
    monkeypatch.setenv("CRYPTO_DATA_DIR", str(tmp_path / "nowhere"))
    page = open_page()
    assert not page.exception
    assert "python run_all.py" in read(page)
    assert not page.get("plotly_chart")


def test_waiting_shows_progress(make_market: Make, open_page: Open, read: Read) -> None:
    """While the first history is being fetched, its progress is shown."""
    market = make_market()
    market.beat("collector", backfill_done=3, backfill_total=10, message=said("buscando cardano"))
    market.beat("pipeline")
    page = open_page()
    assert not page.exception
    assert page.progress[0].value == 30
    assert "buscando cardano (histórico\\: 3 de 10 moedas)" in page.progress[0].text
    assert "Preparando os dados" in read(page)


def test_prices_without_forecast(make_market: Make, open_page: Open, read: Read) -> None:
    """The history is drawn before the first forecast; what is missing is said."""
    make_market().collect()
    page = open_page()
    assert not page.exception
    assert [trace["name"] for trace in figure(page)["data"]] == ["Preço"]
    assert "A primeira previsão desta moeda está a caminho" in read(page)
    for view in ("precisao", "comparacao", "exportar", "diagnostico"):
        assert not open_page(pagina=view).exception


def test_stale_prices_and_dead_processes_are_announced(make_market: Make, open_page: Open, read: Read) -> None:
    """Old prices and a stopped collector stand in the banner; the last data stay visible."""
    market = make_market("coingecko")
    market.collect(age_ms=2 * HOUR_MS)
    market.forecast()
    text = read(page := open_page())
    assert "O processo coletor está parado." in text
    assert "Os preços estão parados há 120 min." in text
    assert page.get("plotly_chart")


def test_an_english_page_speaks_english_of_processes_too(make_market: Make, open_page: Open, read: Read) -> None:
    """Banner, waiting view and facts say in English what the processes wrote in Portuguese."""
    market = make_market()
    market.beat(
        "collector", backfill_done=3, backfill_total=10, message=message("collector.collecting", coins=10, cadence=30)
    )
    page = open_page(idioma="en")
    assert "Collector: 10 coins every 30 s (history: 3 of 10 coins)" in page.progress[0].text.replace("\\", "")
    market.collect()
    market.beat("pipeline", failed_steps={Step.TRAINING: "full"}, message=message("prices.none_stored"))
    text = read(open_page(idioma="en", pagina="diagnostico"))
    assert "Failed to train: full." in text
    assert "no prices are stored yet" in text
    assert "moedas" not in text


def test_live_data_have_no_banner(make_market: Make, open_page: Open) -> None:
    """A healthy live suite shows no bar and no watermark."""
    make_market("coingecko").everything()
    page = open_page()
    assert not page.html
    assert all(note["text"] != "DADOS SIMULADOS" for note in figure(page)["layout"]["annotations"])


@pytest.mark.parametrize("view", ["visao", "precisao", "comparacao", "exportar", "diagnostico"])
def test_damage_is_said_in_read(make_market: Make, open_page: Open, read: Read, view: str) -> None:
    """Damaged forecasts are named; no view shows a traceback."""
    market = make_market().everything()
    market.damage_latest()
    page = open_page(pagina=view)
    assert not page.exception
    assert "danificadas" in read(page)


def test_a_damaged_price_store_is_said_in_read(make_market: Make, open_page: Open, read: Read) -> None:
    """A database full of rubbish leads to words as well."""
    market = make_market().everything()
    market.close()
    for path in market.workspace.root.glob("crypto.db*"):
        path.write_bytes(b"rubbish" * 1000)
    page = open_page()
    assert not page.exception
    assert "danificada" in read(page)


def test_bad_settings_are_said_in_read(
    make_market: Make, open_page: Open, read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong variable is named on the page."""
    make_market()
    monkeypatch.setenv("CRYPTO_INTERVAL", "soon")
    page = open_page()
    assert not page.exception
    assert "CRYPTO_INTERVAL=soon" in read(page)


def test_the_token_is_asked_for(make_market: Make, open_page: Open, read: Read) -> None:
    """With a token set, nothing is shown until it was given; a wrong one is refused."""
    make_market(api_token="open-sesame").everything()
    page = open_page()
    assert not page.metric
    assert "DADOS" not in read(page)
    page.text_input[0].set_value("open-sesamE")
    page.form_submit_button[0].click().run()
    assert "Token incorreto" in read(page)
    assert not page.metric
    page.text_input[0].set_value("open-sesame")
    page.form_submit_button[0].click().run()
    assert page.metric
    page.run()
    assert page.metric
