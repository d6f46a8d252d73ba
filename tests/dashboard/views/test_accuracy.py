"""The accuracy view: its verdict, and live scores apart from the backtest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC

import pytest

from core.accuracy.scores import Score
from dashboard.i18n.numbers import Formats
from dashboard.i18n.texts import Texts
from dashboard.views.accuracy import verdict
from tests.support.dashboard_page import charts_on, open_page, text_on
from tests.support.workspace import SampleWorkspace

Make = Callable[..., SampleWorkspace]
FORMATS = Formats("pt", UTC, "usd")
TEXTS = Texts("pt")
SCORE = Score(
    forecasts=1200, hours=48, start_ms=1_763_812_800_000, end_ms=1_763_985_600_000, relative_pinball=0.97, skill=0.03,
    coverage={50: 0.49, 80: 0.81, 90: 0.9, 95: 0.94}, width_80_percent=0.8, winkler_ratio=0.96, mae_percent=0.2,
    mae_ratio=0.998, hit_rate=0.52, hit_low=0.45, hit_high=0.59, brier=0.249, better_p_value=0.01, model_share=1.0,
)  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "colour", "words"),
    [
        ({}, "green", "Melhor que “o preço não muda”: erro 3,00% menor"),
        ({"better_p_value": 0.0000004}, "green", "(p < 0,001)"),
        ({"better_p_value": 0.98, "skill": -0.02}, "red", "erro 2,00% maior"),
        ({"better_p_value": 0.4}, "orange", "pode ser acaso"),
        ({"hours": 3}, "blue", "São só 3 h"),
        ({"better_p_value": None}, "blue", "cedo demais"),
    ],
)
def test_the_verdict_claims_no_more_than_the_test(changes: dict[str, float], colour: str, words: str) -> None:
    """A gain is claimed only with enough hours and a small p-value."""
    given, sentence = verdict(replace(SCORE, **changes), FORMATS, TEXTS)  # type: ignore[arg-type]  # fields by name
    assert given == colour
    assert words in sentence


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
    assert len(charts_on(live)) == 4
    one = open_page(pagina="precisao", alcance="moeda", moeda="btc")
    assert len(charts_on(one)) == 3


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
    assert "São só 3 h de resultados" in text_on(open_page(pagina="precisao"))
    assert "Ainda não há backtest" in text_on(open_page(pagina="precisao", prova="backtest"))
