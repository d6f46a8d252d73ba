"""The comparison: chosen coins on one scale, and every coin in a table."""

from __future__ import annotations

from collections.abc import Callable

from core.price_store import Coin
from tests.support.dashboard_page import chart_on, open_page, text_on
from tests.support.workspace import SampleWorkspace


def test_chosen_coins_share_one_scale_and_all_are_listed(running: SampleWorkspace) -> None:
    """The chosen coins share a percentage scale; the table has every coin with numbers that sort."""
    page = open_page(pagina="comparacao", moedas="bitcoin,shiba-inu")
    assert not page.exception
    chart = chart_on(page)
    assert [trace["name"] for trace in chart["data"]] == ["Bitcoin (BTC)", "Shiba Inu (SHIB)"]
    assert all(abs(value) < 50 for trace in chart["data"] for value in trace["y"] if value is not None)
    table = page.dataframe[0].value
    assert len(table) == len(running.prices)
    assert table["Preço"].iloc[0] == running.prices["bitcoin"]
    assert len(table["Último dia"].iloc[0]) > 40


def test_without_a_choice_the_view_asks_for_coins(running: SampleWorkspace) -> None:
    """An empty choice in the address is kept as such."""
    page = open_page(pagina="comparacao", moedas="")
    assert "Escolha ao menos uma moeda" in text_on(page)


def test_250_coins(make_workspace: Callable[..., SampleWorkspace]) -> None:
    """Two hundred and fifty coins are still one list, one table and a comparison of eight at most."""
    coins = [Coin(f"coin-{number}", f"c{number}", f"Coin {number}", number + 1) for number in range(250)]
    workspace = make_workspace(coins=coins)
    workspace.fill_prices(hours=2)
    workspace.publish_forecasts()
    assert len(open_page(moeda="c249").selectbox(key="moeda").options) == 250
    page = open_page(pagina="comparacao")
    assert not page.exception
    assert len(page.dataframe[0].value) == 250
