"""Choices that live in the page's address."""

from __future__ import annotations

import pytest

from dashboard.shell.query_choices import nearest_option
from tests.support.dashboard_page import charts_on, open_page, text_on
from tests.support.workspace import SampleWorkspace


def test_choices_are_kept_in_the_address(running: SampleWorkspace) -> None:
    """A choice goes into the address and is still there in a session opened with that address."""
    page = open_page(pagina="moeda")
    page.selectbox(key="moeda").select("shiba-inu").run()
    page.segmented_control(key="janela").set_value("1h").run()
    page.pills(key="pagina").set_value("comparacao").run()
    address = dict(page.query_params)
    assert (address["moeda"], address["janela"], address["pagina"]) == ("shiba-inu", "1h", "comparacao")
    again = open_page(**address)
    assert not again.exception
    assert again.segmented_control(key="janela").value == "1h"
    again.pills(key="pagina").set_value("moeda").run()
    assert again.selectbox(key="moeda").value == "shiba-inu"


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ({"pagina": "comparacoa"}, "A página “comparacoa” não existe"),
        ({"pagina": "moeda", "janela": "9y"}, "pede “9y”, que não existe"),
        ({"pagina": "comparacao", "moedas": "x,,BTC"}, "Não acompanhamos: x."),
    ],
)
def test_an_unknown_name_in_the_address_is_announced(
    running: SampleWorkspace, address: dict[str, str], sentence: str
) -> None:
    """The page says what the address asks for in vain, shows what is nearest, and keeps the address."""
    page = open_page(**address)
    assert not page.exception
    assert charts_on(page)
    assert sentence in text_on(page)
    kept = {name: value.replace("BTC", "bitcoin") for name, value in address.items()}
    assert kept.items() <= dict(page.query_params).items()


def test_the_remark_goes_with_the_next_choice(running: SampleWorkspace) -> None:
    """Once the visitor chooses, the remark is gone and the address has the choice."""
    page = open_page(pagina="moeda", janela="9y")
    page.segmented_control(key="janela").set_value("1h").run()
    assert "9y" not in text_on(page)
    assert dict(page.query_params)["janela"] == "1h"


@pytest.mark.parametrize("name", ["naoexiste", "bitcon", "<script>", "'; DROP TABLE prices"])
def test_an_unknown_coin_is_never_replaced_in_silence(running: SampleWorkspace, name: str) -> None:
    """No coin is shown for an unknown name: the page names it and offers the nearest as buttons."""
    page = open_page(moeda=name)
    assert not page.exception
    assert not page.metric
    assert not charts_on(page)
    assert f"moeda desconhecida: '{name}'" in text_on(page)
    page.button(key="parecida_bitcoin").click().run()
    assert page.selectbox(key="moeda").value == "bitcoin"
    assert page.metric
    assert dict(page.query_params)["moeda"] == "bitcoin"


@pytest.mark.parametrize(("view", "name"), [("exportar", "baixar"), ("comparacao", "moedas")])
def test_a_coin_named_twice_in_the_address_is_chosen_once(running: SampleWorkspace, view: str, name: str) -> None:
    """By symbol and by id it is one coin, in the choice and in the address."""
    page = open_page(pagina=view, **{name: "btc,eth,bitcoin"})
    assert page.multiselect[0].value == ["bitcoin", "ethereum"]
    assert page.query_params[name] == "bitcoin,ethereum"


def test_the_nearest_option_is_the_one_spelt_most_alike() -> None:
    """A misspelt option has a nearest one; nonsense has none."""
    options = ("visao", "precisao", "comparacao")
    assert nearest_option("Precisoa", options) == "precisao"
    assert nearest_option("<b>", options) is None
