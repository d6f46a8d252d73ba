"""Alerts in words: every condition has a sentence in each language, short and with a link."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from alerts.alert import Alert, AlertKind, Sight
from alerts.messages import Wording, alert_text
from alerts.rules.condition import ConditionKind
from alerts.rules.table import read_rule
from alerts.rules.text import rule_text
from core.times import parse_iso
from core.wording import LANGUAGES
from tests.alerts.test_rules import EXAMPLES, table

AT_MS = parse_iso("2026-11-29T12:00:00Z")
PORTUGUESE = Wording("pt", ZoneInfo("America/Sao_Paulo"), "http://127.0.0.1:8501", "usd")


def alert(condition: str, *sights: Sight, source: str = "coingecko", kind: AlertKind = AlertKind.FIRED) -> Alert:
    """An alert with these sights."""
    return Alert("key", "rule", "name", condition, kind, sights, source)


def test_a_price_is_told_with_its_time_and_a_link() -> None:
    """One line with formatted numbers and the local time, one with the address of the coin's page."""
    sight = Sight("bitcoin", AT_MS, {"price": 100250.5, "level": 100000.0})
    assert alert_text(alert("preco_acima", sight), PORTUGUESE).splitlines() == [
        "bitcoin: 100.250,50 USD, acima de 100.000 (29/11 09:00)",
        "http://127.0.0.1:8501/?moeda=bitcoin",
    ]


def test_sentences_about_processes_and_hours_fit_all_of_them() -> None:
    """A process of either gender, one of a thing, and a market of one day: the sentence is right for each."""
    said = alert_text(alert("processo_reiniciado", Sight(None, AT_MS, {}, process="api")), Wording("pt"))
    assert said.startswith("a API caiu e voltou (29/11 12:00)")
    figures = {"percentile": 91.0, "expected_move": 1.0}
    assert "maior que em 91 % das horas recentes" in alert_text(
        alert("movimento_esperado", Sight("solana", AT_MS, figures)), Wording("pt")
    )


def test_what_is_not_live_says_so_in_every_message() -> None:
    """Simulated and replayed prices never pass for live ones."""
    sight = Sight("bitcoin", AT_MS, {"price": 1.0, "level": 1.0})
    assert "Preços simulados" in alert_text(alert("preco_acima", sight, source="demo"), PORTUGUESE)
    assert "Preços de uma gravação" in alert_text(alert("preco_acima", sight, source="replay"), PORTUGUESE)


def test_many_coins_are_counted_and_cut() -> None:
    """Of twelve coins ten are shown, and how many more there are."""
    sights = [Sight(f"coin-{n}", AT_MS, {"price": 1.0, "level": 1.0}) for n in range(12)]
    lines = alert_text(alert("preco_acima", *sights), PORTUGUESE).splitlines()
    assert lines[0] == "12 moedas:"
    assert len(lines) == 13
    assert lines[-2:] == ["… e mais 2", "http://127.0.0.1:8501/"]


def test_a_probability_is_told_with_how_sure_it_is() -> None:
    """The English sentence names chance, level, horizon and the present price."""
    figures = {"price": 100.0, "level": 102.0, "probability": 71.26, "asked_probability": 70.0, "horizon_min": 30.0}
    text = alert_text(alert("toca", Sight("solana", AT_MS, figures)), Wording("en"))
    assert text == "solana: 71.3 % chance of touching 102 USD in 30m; now 100.00 (29/11 12:00)"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", ConditionKind)
def test_every_condition_has_words(kind: ConditionKind, language: str) -> None:
    """Beginning and end of an alert and the rule itself are sentences without a code or a brace left over."""
    sight = Sight("bitcoin", AT_MS, {}) if "moedas" in table(kind.value) else Sight(None, AT_MS, {}, process="api")
    said = [
        alert_text(alert(kind.value, sight, kind=one), Wording(language)) for one in (AlertKind.FIRED, AlertKind.NORMAL)
    ]
    said.append(rule_text(read_rule(table(kind.value, **EXAMPLES[kind.value])), language))
    for text in said:
        assert text
        assert "alert." not in text
        assert "{" not in text
