"""The comparison: chosen coins on one scale, their correlations, and all coins ranked by expected move."""

from __future__ import annotations

from collections.abc import Callable

from core.price_store import Coin
from tests.support.dashboard_page import chart_on, open_page, text_on
from tests.support.workspace import SampleWorkspace


def test_chosen_coins_are_compared_in_four_ways(running: SampleWorkspace) -> None:
    """One scale, a matrix of the chosen coins, their expected moves, and every coin in the ranking."""
    page = open_page(pagina="comparacao", moedas="bitcoin,shiba-inu")
    assert not page.exception
    lines, moves = chart_on(page), chart_on(page, 1)
    assert [trace["name"] for trace in lines["data"]] == ["Bitcoin (BTC)", "Shiba Inu (SHIB)"]
    assert all(abs(value) < 50 for trace in lines["data"] for value in trace["y"] if value is not None)
    assert set(moves["data"][1]["text"]) == {"BTC", "SHIB"}
    matrix, ranking = (table.value for table in page.dataframe)
    assert list(matrix.columns) == list(matrix.index) == ["BTC", "SHIB"]
    assert float(matrix["SHIB"].iloc[0]) > 0.99  # the sample's coins move in step
    assert len(ranking) == len(running.prices)
    assert ranking["Vezes o normal"].is_monotonic_decreasing


def test_without_a_choice_the_view_asks_for_coins(running: SampleWorkspace) -> None:
    """An empty choice in the address is kept as such; the ranking of all coins stays."""
    page = open_page(pagina="comparacao", moedas="")
    assert "Escolha ao menos uma moeda" in text_on(page)
    assert len(page.dataframe[0].value) == len(running.prices)


def test_250_coins(make_workspace: Callable[..., SampleWorkspace]) -> None:
    """Two hundred and fifty coins are still one list, one ranking and a comparison of five at first."""
    coins = [Coin(f"coin-{number}", f"c{number}", f"Coin {number}", number + 1) for number in range(250)]
    workspace = make_workspace(coins=coins)
    workspace.fill_prices(hours=2)
    workspace.publish_forecasts()
    assert len(open_page(moeda="c249").selectbox(key="moeda").options) == 250
    page = open_page(pagina="comparacao")
    assert not page.exception
    assert [len(table.value) for table in page.dataframe] == [5, 250]
