"""The page of one coin, its cards and its chart, from real files."""

from __future__ import annotations

from collections.abc import Callable

from core.forecast_schema import KIND_MODEL
from core.times import HOUR_MS
from tests.support.dashboard_page import cards_on, chart_on, open_page, text_on
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
    first = page.get("bidi_component")[0].proto
    page.run()
    second = page.get("bidi_component")[0].proto
    assert (first.id, first.bytes) == (second.id, second.bytes)
    running.tick()
    page.run()
    third = page.get("bidi_component")[0].proto
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


def test_past_forecasts_can_be_shown(running: SampleWorkspace) -> None:
    """The switch adds the forecasts made an hour before."""
    page = open_page(pagina="moeda")
    assert len(chart_on(page)["data"]) == 8
    page.toggle(key="anteriores").set_value(True).run()
    drawn = {trace["name"]: trace for trace in chart_on(page)["data"]}
    assert "Faixa de 80% de então" in drawn
    assert max(drawn["Previsto 1 h antes"]["x"]) <= max(drawn["Preço"]["x"])


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
