"""The accuracy view: its verdict, and live scores apart from the backtest."""

from __future__ import annotations

from collections.abc import Callable

from tests.support.dashboard_page import cards_on, charts_on, open_page, text_on
from tests.support.workspace import SampleWorkspace

Make = Callable[..., SampleWorkspace]


def test_live_scores_and_backtest_are_kept_apart(make_workspace: Make) -> None:
    """Each has its own period and charts, and the two never share a number."""
    workspace = make_workspace()
    workspace.fill_prices()
    workspace.publish_scores(60)
    workspace.publish_backtest(200)
    live, back = (open_page(pagina="precisao", prova=kind) for kind in ("ao_vivo", "backtest"))
    assert not live.exception
    assert not back.exception
    assert "em 60 h" in text_on(live)
    assert "em 200 h" in text_on(back)
    assert "Melhor que “o preço não muda”" in text_on(live)
    assert len(charts_on(live)) == 5
    one = open_page(pagina="precisao", alcance="moeda", moeda="btc")
    assert "(moedas: 1)" in text_on(one)
    assert len(charts_on(one)) == 4


def test_the_backtest_is_shown_while_nothing_live_is_scored(make_workspace: Make) -> None:
    """In the first minutes the backtest is the default, and a choice in the address still holds."""
    workspace = make_workspace()
    workspace.fill_prices()
    workspace.publish_backtest(200)
    assert "em 200 h" in text_on(open_page(pagina="precisao"))
    assert "Ainda nenhuma previsão ao vivo" in text_on(open_page(pagina="precisao", prova="ao_vivo"))
    workspace.publish_scores(60)
    assert "em 60 h" in text_on(open_page(pagina="precisao"))


def test_few_hours_allow_no_conclusion(make_workspace: Make) -> None:
    """Three hours of results are called too early, and a missing backtest is announced."""
    workspace = make_workspace()
    workspace.fill_prices()
    workspace.publish_scores(3)
    page = open_page(pagina="precisao")
    assert "são só 3 h de resultados" in text_on(page)
    assert cards_on(page)["Erro evitado"] == "—"
    assert len(charts_on(page)) == 2
    assert "Ainda não há backtest" in text_on(open_page(pagina="precisao", prova="backtest"))


def test_the_first_sentence_counts_the_ranges_that_held(running: SampleWorkspace) -> None:
    """A layman reads first how many ranges were right and what was promised; dead numbers are not there."""
    page = open_page(pagina="precisao")
    assert page.success[0].value.startswith("De 1.800 faixas de 80% para dali a uma hora, 83,3%")
    cards = cards_on(page)
    assert "Erro relativo" not in cards
    assert {"Terminar além de um nível", "Tocar um nível", "Direção certa"} <= cards.keys()


def test_every_scored_coin_is_in_the_table(running: SampleWorkspace) -> None:
    """The table has every coin with the error avoided and its interval, and never the word None."""
    table = open_page(pagina="precisao").dataframe[0]
    assert len(table.value) == len(running.prices)
    assert table.value["± (95%)"].notna().all()
    assert "None" not in str(table.proto.arrow_data.styler.display_values)
