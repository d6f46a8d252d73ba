"""The page of one coin, its cards and its chart, from real files."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa

from core.forecast_schema import FORECAST_SCHEMA, KIND_MODEL
from core.number_format import format_number
from core.times import HOUR_MS
from tests.support.dashboard_page import cards_on, chart_on, chart_protos, open_page, switch_language, text_on
from tests.support.workspace import SampleWorkspace

Make = Callable[..., SampleWorkspace]


def test_the_coin_of_the_address_is_shown(running: SampleWorkspace) -> None:
    """`?moeda=ETH` opens Ethereum: its price, the next hour, and both on one chart."""
    running.publish_forecasts(kind=KIND_MODEL)
    page = open_page(moeda="ETH")
    assert not page.exception
    assert page.selectbox(key="moeda").value == "ethereum"
    cards = cards_on(page)
    assert cards["Preço agora"] == "US$\u00a03.312,45"
    assert cards["Chance de alta"] == "53%"
    assert cards["Modelo"] == "Treinado"
    drawn = {trace["name"]: trace for trace in chart_on(page)["data"]}
    assert drawn["Preço"]["y"][-1] == running.prices["ethereum"]
    assert len(drawn["Previsão"]["x"]) == 13


def test_unchanged_data_give_an_identical_chart(running: SampleWorkspace) -> None:
    """A rerun without new data sends the same chart; a new price changes it, but not the id that keeps its node."""
    page = open_page(pagina="moeda")
    first = chart_protos(page)[0]
    page.run()
    second = chart_protos(page)[0]
    assert (first.id, first.bytes) == (second.id, second.bytes)
    running.tick()
    page.run()
    third = chart_protos(page)[0]
    assert third.id == first.id
    assert third.bytes != first.bytes


def test_browsers_of_all_zones_share_a_chart(running: SampleWorkspace) -> None:
    """Times are sent in UTC: the browser draws them in its own zone."""
    brazil, utc = (chart_on(open_page(pagina="moeda", timezone=zone)) for zone in ("America/Sao_Paulo", "UTC"))
    assert brazil["data"] == utc["data"]


def test_everything_stored_can_be_shown(running: SampleWorkspace) -> None:
    """The last window begins with the first price and lacks nothing."""
    page = open_page(pagina="moeda", janela="tudo")
    drawn = {trace["name"]: trace for trace in chart_on(page)["data"]}
    assert drawn["Preço"]["x"][-1] - drawn["Preço"]["x"][0] > 25 * HOUR_MS
    assert "Há preços guardados desde" not in text_on(page)


def test_past_forecasts_are_laid_over_the_prices(running: SampleWorkspace) -> None:
    """They are there by default, counted below the chart; the choice against them is kept in the address."""
    page = open_page(pagina="moeda")
    drawn = {trace["name"]: trace for trace in chart_on(page)["data"]}
    targets = [target for target in drawn["Faixa de 80% prevista 1 h antes"]["x"] if target is not None]
    assert max(targets) <= max(drawn["Preço"]["x"])
    assert "dentro da faixa de 80%" in text_on(page)
    page.toggle(key="ver_anteriores").set_value(False).run()
    assert "Faixa de 80% prevista 1 h antes" not in {trace["name"] for trace in chart_on(page)["data"]}
    assert dict(page.query_params)["anteriores"] == "nao"
    again = open_page(pagina="moeda", anteriores="nao")
    assert not again.toggle(key="ver_anteriores").value


def test_without_past_forecasts_the_page_says_why(make_workspace: Make) -> None:
    """Before the first hour is over there is a sentence in their place."""
    workspace = make_workspace()
    workspace.fill_prices()
    workspace.publish_forecasts()
    text = text_on(open_page(pagina="moeda"))
    assert "a primeira vence uma hora depois de feita" in text
    assert "Ainda não se sabe o quanto confiar" in text


def test_the_forecast_is_said_in_words(running: SampleWorkspace) -> None:
    """A sentence gives the range, one the record of the week, and others say why the range is as wide as it is."""
    running.publish_log(3)
    text = text_on(open_page(pagina="moeda", moeda="btc"))
    assert "Em 8 de cada 10 vezes, Bitcoin (BTC) deve estar entre US$" in text
    assert "faixas como esta acertaram" in text
    assert "mais movimento do que em 62% das suas horas" in text
    assert "A última hora foi" in text


def test_the_chance_of_a_level_is_computed(running: SampleWorkspace) -> None:
    """A level far above is hardly reached; above and below make 100 %; the level of the address is taken."""
    page = open_page(pagina="moeda", moeda="bitcoin", nivel="bitcoin:67187.33", minutos="30")
    cards = cards_on(page)
    assert (cards["Terminar acima"], cards["Terminar abaixo"]) == ("50,0%", "50,0%")
    assert cards["Tocar o nível"] == "100,0%"
    page.text_input(key="nivel_bitcoin_pt").set_value("69.000").run()
    assert float(cards_on(page)["Terminar acima"].removesuffix("%").replace(",", ".")) < 1
    assert dict(page.query_params)["nivel"] == "bitcoin:69000.00"
    page.text_input(key="nivel_bitcoin_pt").set_value("muito").run()
    assert "Isto não é um preço" in text_on(page)
    assert "Terminar acima" not in cards_on(page)
    other = open_page(pagina="moeda", moeda="bitcoin", nivel="ethereum:1").text_input(key="nivel_bitcoin_pt")
    assert str(other.value).startswith("67.")


def test_the_newest_level_follows_the_reader_through_the_languages(running: SampleWorkspace) -> None:
    """A level typed in English is there in Portuguese too, where another one was shown before."""
    page = open_page(pagina="moeda", moeda="bitcoin")
    switch_language(page, "en").text_input(key="nivel_bitcoin_en").set_value("70,000").run()
    assert switch_language(page, "pt").text_input(key="nivel_bitcoin_pt").value == "70.000,00"


def test_candles_replace_the_line(running: SampleWorkspace) -> None:
    """`?forma=velas` draws candles instead of the line of prices; the newest one ends at the newest price."""
    drawn = [trace for trace in chart_on(open_page(pagina="moeda", forma="velas"))["data"] if trace["type"] == "bar"]
    ends = [(body["x"][-1], body["text"][-1]) for body in drawn]
    assert f"→ {format_number(running.prices['bitcoin'], 2, 'pt')}" in max(ends)[1]
    assert {trace["legendgroup"] for trace in drawn} == {"Velas de 15\u00a0min"}


def test_numbers_that_say_nothing_are_not_shown(running: SampleWorkspace) -> None:
    """A forecast that is the price, and a chance of one half, have no card."""
    rows = running._forecasts(running.now, KIND_MODEL)
    for row in rows:
        row |= {"p_up": 0.5, "mean": row["price_origin"]}
    running.publisher.publish({"latest": pa.Table.from_pylist(rows, FORECAST_SCHEMA)})
    cards = cards_on(open_page(pagina="moeda"))
    assert "Chance de alta" not in cards
    assert not any(name.startswith("Previsão às") for name in cards)
    assert {"Preço agora", "Faixa provável em 1 h", "Movimento esperado", "Agitação"} <= cards.keys()


def test_prices_without_a_forecast(make_workspace: Make) -> None:
    """The history is drawn before the first forecast, with a sentence about what is missing."""
    make_workspace().fill_prices()
    page = open_page(pagina="moeda")
    assert not page.exception
    assert [trace["name"] for trace in chart_on(page)["data"]] == ["Preço"]
    assert "A primeira previsão desta moeda está a caminho" in text_on(page)


def test_a_window_longer_than_the_history_says_so(running: SampleWorkspace) -> None:
    """26 hours of prices fill the window of a day; the window of a week shows since when there are prices."""
    assert "Há preços guardados desde" in text_on(open_page(pagina="moeda", janela="7d"))
    assert "Há preços guardados desde" not in text_on(open_page(pagina="moeda", janela="24h"))


def test_prices_carry_the_currency_of_the_workspace(make_workspace: Make) -> None:
    """A workspace in reais shows reais."""
    make_workspace(currency="brl").run()
    assert cards_on(open_page(pagina="moeda"))["Preço agora"].startswith("R$\u00a0")
