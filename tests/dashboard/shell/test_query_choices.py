"""Choices that live in the page's address."""

from __future__ import annotations

import pytest

from tests.support.dashboard_page import open_page
from tests.support.workspace import SampleWorkspace


def test_choices_are_kept_in_the_address(running: SampleWorkspace) -> None:
    """A choice goes into the address and is still there in a session opened with that address."""
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
def test_an_invalid_address_means_the_default(running: SampleWorkspace, address: dict[str, str]) -> None:
    """Nonsense in the address breaks nothing."""
    page = open_page(**{"pagina": "comparacao" if "moedas" in address else "visao", **address})
    assert not page.exception
    assert page.get("plotly_chart")
