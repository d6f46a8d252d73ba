"""The view of the whole market: its sentence, its table, and old addresses that lead to a coin."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from streamlit.testing.v1 import AppTest

from core.price_store import Coin
from tests.support.dashboard_page import cards_on, open_page, text_on
from tests.support.workspace import SampleWorkspace

Make = Callable[..., SampleWorkspace]


def table_on(page: AppTest) -> dict[str, Any]:
    """The table of coins as the browser gets it."""
    (table,) = (one.proto for one in page.get("bidi_component") if one.proto.component_name == "market")
    data: dict[str, Any] = json.loads(table.json)
    return data


def test_all_coins_are_one_table(running: SampleWorkspace) -> None:
    """The first page has a sentence on the market and every coin with price, range and activity, by rank."""
    page = open_page()
    assert not page.exception
    assert "Hora comum. Moedas de que se espera um movimento maior" in text_on(page)
    rows = table_on(page)["rows"]
    assert [row["id"] for row in rows] == list(running.prices)
    assert rows[1]["price"] == "US$\u00a03.312,45"
    assert rows[1]["regime_text"] == "normal · 62%"
    assert len(rows[1]["line"]) > 40


def test_order_list_and_filter_are_kept_in_the_address(running: SampleWorkspace) -> None:
    """`?ordem=-preco` sorts by price from the top; only starred coins are shown when the address says so."""
    table = table_on(open_page(ordem="-preco", favoritas="dogecoin,solana,gone", mostrar="favoritas"))
    assert [row["id"] for row in table["rows"]] == ["solana", "dogecoin"]
    assert table["starred"] == ["dogecoin", "solana", "gone"]
    page = open_page(ordem="-nonsense")
    assert table_on(page)["sort"] == "posicao"
    page.text_input(key="busca").set_value("shib").run()
    assert [row["id"] for row in table_on(page)["rows"]] == ["shiba-inu"]


def test_a_starred_coin_that_leaves_stays_in_the_list(running: SampleWorkspace) -> None:
    """The browser keeps the list that it is sent, so a coin that is not followed for a while is still on it."""
    page = open_page(favoritas="bitcoin,dogecoin", mostrar="favoritas")
    running.leave("dogecoin")
    table = table_on(page.run())
    assert [row["id"] for row in table["rows"]] == ["bitcoin"]
    assert table["starred"] == ["bitcoin", "dogecoin"]


def test_an_address_with_a_coin_opens_that_coin(running: SampleWorkspace) -> None:
    """Links of earlier versions named the first page and a coin: they show the coin as before."""
    for address in ({"moeda": "ETH"}, {"pagina": "visao", "moeda": "ethereum", "janela": "1h"}):
        page = open_page(**address)
        assert page.pills(key="pagina").value == "moeda"
        assert cards_on(page)["Preço agora"] == "US$\u00a03.312,45"


def test_only_the_page_that_is_seen_is_sent(make_workspace: Make) -> None:
    """Of 120 coins, fifty rows go to the browser; the others are two pages further."""
    workspace = make_workspace(coins=[Coin(f"coin-{n}", f"c{n}", f"Coin {n}", n + 1, 1) for n in range(120)])
    workspace.fill_prices(hours=1)
    page = open_page()
    assert len(table_on(page)["rows"]) == 50
    assert "Ainda não se sabe" in text_on(page)
    page.session_state["folha"] = 3
    page.run()
    assert [row["id"] for row in table_on(page)["rows"]][:1] == ["coin-100"]
