"""The page as Streamlit draws it, from real files: five views and the choices on them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from core.errors import SourceUnavailable

Make = Callable[..., Any]
Open = Callable[..., AppTest]
Read = Callable[[AppTest], str]


def figure(page: AppTest, index: int = 0) -> dict[str, Any]:
    """A chart of the page as the browser gets it."""
    spec: dict[str, Any] = json.loads(page.get("plotly_chart")[index].proto.spec)
    return spec


def metrics(page: AppTest) -> dict[str, str]:
    """Cards of the page: label to value."""
    return {card.label.replace("\\", ""): card.value.replace("\\", "") for card in page.metric}


def test_overview_shows_the_coin_of_the_address(make_market: Make, open_page: Open) -> None:
    """`?moeda=ETH` opens Ethereum: its price, the next hour and both on one chart."""
    market = make_market().everything()
    page = open_page(moeda="ETH")
    assert not page.exception
    assert page.selectbox(key="moeda").value == "ethereum"
    cards = metrics(page)
    assert cards["Preço agora"] == "US$\u00a03.312,45"
    assert cards["Chance de alta"] == "53%"
    assert cards["Modelo"] == "Ridge e floresta"
    drawn = {trace["name"]: trace for trace in figure(page)["data"]}
    assert drawn["Preço"]["y"][-1] == market.prices["ethereum"]
    assert len(drawn["Previsão"]["x"]) == 13


def test_choices_are_kept_in_the_address(make_market: Make, open_page: Open) -> None:
    """A choice goes into the address and is still there in a session opened with that address."""
    make_market().everything()
    page = open_page()
    page.selectbox(key="moeda").select("shiba-inu").run()
    page.segmented_control(key="janela").set_value("1h").run()
    page.pills(key="pagina").set_value("exportar").run()
    address = dict(page.query_params)
    assert (address["moeda"], address["janela"], address["pagina"]) == ("shiba-inu", "1h", "exportar")
    again = open_page(**address)
    assert not again.exception
    assert again.selectbox(key="moeda").value == "shiba-inu"
    assert again.pills(key="pagina").value == "exportar"


@pytest.mark.parametrize("address", [{"moeda": "nada"}, {"janela": "9y"}, {"pagina": "<b>"}, {"moedas": "x,,bitcoin"}])
def test_an_odd_address_means_the_default(make_market: Make, open_page: Open, address: dict[str, str]) -> None:
    """Nonsense in the address breaks nothing."""
    make_market().everything()
    page = open_page(**{"pagina": "comparacao" if "moedas" in address else "visao", **address})
    assert not page.exception
    assert page.get("plotly_chart")


def test_unchanged_data_give_an_identical_chart(make_market: Make, open_page: Open) -> None:
    """Another run without new data sends the same figure under the same id; a new price changes it."""
    market = make_market().everything()
    page = open_page()
    first = page.get("plotly_chart")[0].proto
    page.run()
    second = page.get("plotly_chart")[0].proto
    assert (first.id, first.spec) == (second.id, second.spec)
    market.tick()
    page.run()
    third = page.get("plotly_chart")[0].proto
    assert third.spec != first.spec


def test_times_are_the_browsers(make_market: Make, open_page: Open) -> None:
    """Two browsers three hours apart see the same point three hours apart."""
    make_market().everything()
    brazil, utc = (figure(open_page(timezone=zone)) for zone in ("America/Sao_Paulo", "UTC"))
    assert brazil["data"][3]["y"] == utc["data"][3]["y"]
    assert brazil["data"][3]["x"][-1] != utc["data"][3]["x"][-1]


def test_past_forecasts_can_be_laid_over(make_market: Make, open_page: Open) -> None:
    """The switch adds what was forecast an hour before."""
    make_market().everything()
    page = open_page()
    assert len(figure(page)["data"]) == 5
    page.toggle(key="anteriores").set_value(True).run()
    drawn = {trace["name"]: trace for trace in figure(page)["data"]}
    assert "Faixa de 80% de então" in drawn
    assert max(drawn["Previsto 1 h antes"]["x"]) <= max(drawn["Preço"]["x"])


def test_english(make_market: Make, open_page: Open, read: Read) -> None:
    """The same page speaks English when asked."""
    make_market().everything()
    page = open_page(idioma="en", moeda="bitcoin")
    assert metrics(page)["Price now"] == "US$\u00a067,187.33"
    assert "SIMULATED DATA" in read(page)


def test_another_currency(make_market: Make, open_page: Open) -> None:
    """Prices carry the workspace's currency."""
    make_market(currency="brl").everything()
    assert metrics(open_page())["Preço agora"].startswith("R$\u00a0")


def test_accuracy_keeps_live_and_backtest_apart(make_market: Make, open_page: Open, read: Read) -> None:
    """Live scores and the backtest are two views with their own period, never one number."""
    make_market().everything()
    live, back = (open_page(pagina="precisao", prova=kind) for kind in ("ao_vivo", "backtest"))
    assert not live.exception
    assert not back.exception
    assert "em 60 h" in read(live)
    assert "em 200 h" in read(back)
    assert "Melhor que “o preço não muda”" in read(live)
    assert len(live.get("plotly_chart")) == 4
    one = open_page(pagina="precisao", alcance="moeda", moeda="btc")
    assert len(one.get("plotly_chart")) == 3


def test_accuracy_begins_with_the_backtest_while_nothing_live_is_scored(
    make_market: Make, open_page: Open, read: Read
) -> None:
    """In the first minutes the page shows what there is, and a choice in the address is kept."""
    market = make_market()
    market.collect()
    market.forecast()
    market.score("backtest", hours=200)
    assert "em 200 h" in read(open_page(pagina="precisao"))
    assert "Ainda nenhuma previsão ao vivo" in read(open_page(pagina="precisao", prova="ao_vivo"))
    market.score(hours=60)
    assert "em 60 h" in read(open_page(pagina="precisao"))


def test_accuracy_is_honest_about_few_hours(make_market: Make, open_page: Open, read: Read) -> None:
    """Three hours of results allow no conclusion."""
    market = make_market()
    market.collect()
    market.forecast()
    market.score(hours=3)
    page = open_page(pagina="precisao")
    assert "São só 3 h de resultados" in read(page)
    assert "Ainda não há backtest" in read(open_page(pagina="precisao", prova="backtest"))


def test_comparison_has_one_scale_and_all_coins(make_market: Make, open_page: Open) -> None:
    """The chosen coins share a percentage scale; the table has every coin with numbers that sort."""
    market = make_market().everything()
    page = open_page(pagina="comparacao", moedas="bitcoin,shiba-inu")
    assert not page.exception
    chart = figure(page)
    assert [trace["name"] for trace in chart["data"]] == ["Bitcoin (BTC)", "Shiba Inu (SHIB)"]
    assert all(abs(value) < 50 for trace in chart["data"] for value in trace["y"] if value is not None)
    table = page.dataframe[0].value
    assert len(table) == len(market.prices)
    assert table["Preço"].iloc[0] == market.prices["bitcoin"]
    assert len(table["Último dia"].iloc[0]) > 40


def test_nothing_chosen_to_compare(make_market: Make, open_page: Open, read: Read) -> None:
    """An empty choice is a choice: it asks for coins."""
    make_market().everything()
    page = open_page(pagina="comparacao", moedas="")
    assert "Escolha ao menos uma moeda" in read(page)


def test_diagnostics(make_market: Make, open_page: Open, read: Read) -> None:
    """Files with records and times, the log's state, collector, pipeline and every process."""
    market = make_market().everything()
    market.beats["collector"].error(SourceUnavailable("HTTP 429"))
    page = open_page(pagina="diagnostico")
    assert not page.exception
    text = read(page)
    assert "Registro de previsões: 1.920 linhas" in text
    assert "Cadência (s): **30**" in text
    assert "Ciclo: **7**" in text
    processes, files = (table.value for table in page.dataframe)
    assert set(processes["Estado"]) == {"rodando"}
    assert {"crypto.db", "latest", "log", "scores"} <= set(files["Dados"])


def test_the_source_is_attributed(make_market: Make, open_page: Open, read: Read) -> None:
    """CoinGecko is named with a link below the data of every view."""
    make_market().everything()
    for view in ("visao", "comparacao"):
        assert "Powered by [CoinGecko](https://www.coingecko.com)" in read(open_page(pagina=view))


def test_250_coins(make_market: Make, open_page: Open) -> None:
    """Two hundred and fifty coins are still one list, one table and a comparison of eight at most."""
    market = make_market(days=0.1)
    market.collect(tuple((f"coin-{i}", f"c{i}", f"Coin {i}", 1.0 + i) for i in range(250)))
    market.forecast()
    assert len(open_page(moeda="c249").selectbox(key="moeda").options) == 250
    page = open_page(pagina="comparacao")
    assert not page.exception
    assert len(page.dataframe[0].value) == 250


def test_a_window_longer_than_the_history_says_so(make_market: Make, open_page: Open, read: Read) -> None:
    """Two days of prices fill the window of a day; in that of a week the page says since when there are prices."""
    make_market().everything()
    assert "Há preços guardados desde" in read(open_page(janela="7d"))
    assert "Há preços guardados desde" not in read(open_page(janela="24h"))
