"""The portfolio page: what was typed, its value, its risk, and where the amounts are kept."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.holdings import from_address
from tests.support.dashboard_page import cards_on, chart_on, open_page, switch_language, text_on
from tests.support.workspace import SampleWorkspace


def test_the_page_asks_for_amounts(running: SampleWorkspace) -> None:
    """Without amounts there is an example and no number."""
    page = open_page(pagina="carteira")
    assert not page.exception
    assert "0,15 BTC + 2 ETH" in text_on(page)
    assert not page.metric


def test_typed_amounts_are_valued_and_their_risk_is_shown(running: SampleWorkspace) -> None:
    """Value, range, value at risk and shortfall come in order; each position has its share of value and of the loss."""
    page = open_page(pagina="carteira")
    page.text_input[0].set_value("0,15 BTC + 2 ETH").run()
    assert not page.exception
    cards = cards_on(page)
    assert cards["Valor agora"] == "US$\u00a016.703,00"  # 0.15 x 67,187.33 + 2 x 3,312.45
    low, high = cards["Faixa de 80% em 1 h"].split(" – ")
    assert _amount(low) < 16_703 < _amount(high)
    assert 0 < _amount(cards["Valor em risco (95%)"]) < _amount(cards["Perda média nas 5% piores"])
    ranges, positions = (table.value for table in page.dataframe)
    assert list(positions["Parte"]) == ["60,3%", "39,7%"]
    assert list(ranges["Chance"]) == ["50%", "80%", "95%"]
    assert sum(chart_on(page)["data"][0]["x"]) == pytest.approx(100)
    assert _kept(page) == {"bitcoin": 0.15, "ethereum": 2.0}


def test_a_shared_address_shows_the_same_portfolio_in_another_language(running: SampleWorkspace) -> None:
    """The address is the same for everyone; the field shows it in the reader's own notation."""
    page = open_page(pagina="carteira", carteira="bitcoin:0.15,shiba-inu:1000000", idioma="en")
    assert page.text_input[0].value == "0.15 BTC + 1,000,000 SHIB"
    assert cards_on(page)["Value now"] == "$10,102.41"


def test_the_newest_amounts_follow_the_reader_through_the_languages(running: SampleWorkspace) -> None:
    """A portfolio typed in English is there in Portuguese too, where an older one was typed, and in the address."""
    page = open_page(pagina="carteira", carteira="bitcoin:1")
    switch_language(page, "en").text_input[0].set_value("2.5 ETH").run()
    switch_language(page, "pt")
    assert page.text_input[0].value == "2,5 ETH"
    assert _kept(page) == {"ethereum": 2.5}


def test_what_is_not_understood_is_named(running: SampleWorkspace) -> None:
    """An unknown coin comes with the nearest one, the rest is valued, and the address keeps its last good state."""
    page = open_page(pagina="carteira", carteira="bitcoin:1")
    page.text_input[0].set_value("1 BTC + 2 ethereun + 5").run()
    text = text_on(page)
    assert "Não acompanhamos “ethereun”. A mais parecida: Ethereum (ETH)." in text
    assert "Não entendi “5”" in text
    assert cards_on(page)["Valor agora"] == "US$\u00a067.187,33"
    assert _kept(page) == {"bitcoin": 1.0}


def test_only_what_was_measured_here_is_claimed(running: SampleWorkspace) -> None:
    """The coverage is that of this folder's live scores of one-hour forecasts: 10 of 12 in each of 30 hours."""
    table = open_page(pagina="carteira", carteira="bitcoin:1").dataframe[-1].value
    assert list(table["Acerto da faixa de 80%"]) == ["83% de 360"]


def test_without_scenarios_and_scores_only_the_value_is_shown(make_workspace: Callable[..., SampleWorkspace]) -> None:
    """Before enough was observed the page says what is missing; no coverage is claimed and the value is there."""
    workspace = make_workspace()
    workspace.fill_prices(hours=2)
    workspace.publish_forecasts()
    page = open_page(pagina="carteira", carteira="bitcoin:1,solana:1")
    assert not page.exception
    assert list(cards_on(page)) == ["Valor agora"]
    assert set(page.dataframe[0].value["Acerto da faixa de 80%"]) == {"—"}
    assert "36 meias horas" in text_on(page)


def _amount(text: str) -> float:
    return float(text.removeprefix("US$\u00a0").replace(".", "").replace(",", "."))


def _kept(page: AppTest) -> dict[str, float] | None:
    return from_address("".join(page.query_params["carteira"]))
