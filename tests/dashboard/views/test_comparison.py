"""The comparison: chosen coins on one scale, their correlations, and all coins ranked by expected move."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from core.price_store import Coin, Price, open_writer
from core.times import DAY_MS, HOUR_MS, MINUTE_MS
from tests.support.dashboard_page import chart_on, open_page, text_on
from tests.support.workspace import MORE_COINS, SampleWorkspace


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


def test_a_coin_that_joined_today_is_compared_over_the_hours_that_are_stored(
    make_workspace: Callable[..., SampleWorkspace],
) -> None:
    """Its older prices, one an hour with inferred times, say nothing of a coin that moves in step with it."""
    workspace = make_workspace(coins=MORE_COINS[:2])
    workspace.fill_prices(hours=24, step_ms=5 * MINUTE_MS)
    bitcoin, ethereum = workspace.coins
    joined = workspace.now - DAY_MS
    with open_writer(workspace.workspace.database) as writer:
        earlier = range(joined, joined - 5 * DAY_MS, -5 * MINUTE_MS)
        writer.store(Price("bitcoin", ts_ms, workspace.price(bitcoin, ts_ms)) for ts_ms in earlier)
        hours = range(joined - 5 * DAY_MS, joined, HOUR_MS)
        writer.store_hourly("ethereum", [(ts_ms, workspace.price(ethereum, ts_ms - HOUR_MS)) for ts_ms in hours])
    page = open_page(pagina="comparacao", moedas="bitcoin,ethereum")
    assert page.dataframe[0].value["ETH"].iloc[0] == pytest.approx(1)
    assert re.search(r"De até 2[234] horas", text_on(page))


def test_without_a_choice_the_view_asks_for_coins(running: SampleWorkspace) -> None:
    """An empty choice in the address is kept as such; the ranking of all coins stays."""
    page = open_page(pagina="comparacao", moedas="")
    assert "Escolha ao menos uma moeda" in text_on(page)
    assert len(page.dataframe[0].value) == len(running.prices)


def test_an_address_with_more_coins_than_can_be_compared_shows_the_first(
    make_workspace: Callable[..., SampleWorkspace],
) -> None:
    """Of ten coins in the address, eight are compared and stay in it."""
    coins = [Coin(f"coin-{number}", f"c{number}", f"Coin {number}", number + 1) for number in range(10)]
    workspace = make_workspace(coins=coins)
    workspace.fill_prices(hours=2)
    page = open_page(pagina="comparacao", moedas=",".join(coin.id for coin in coins))
    assert [trace["name"] for trace in chart_on(page)["data"]] == [f"Coin {number} (C{number})" for number in range(8)]
    assert page.query_params["moedas"] == ",".join(coin.id for coin in coins[:8])


def test_the_ranking_takes_the_largest_coins(
    make_workspace: Callable[..., SampleWorkspace], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of more coins than are ranked, it holds the largest ones, in whatever order their forecasts are stored."""
    monkeypatch.setattr("dashboard.views.comparison._MAX_RANKED", 2)
    make_workspace(coins=MORE_COINS[::-1]).fill()
    page = open_page(pagina="comparacao")
    assert set(page.dataframe[1].value["Moeda"]) == {"Bitcoin (BTC)", "Ethereum (ETH)"}


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
