"""What a visitor fills in becomes the rule that alerts.toml would give."""

from __future__ import annotations

from typing import Any

import pytest

from alerts.rules.condition import ConditionKind, Scope
from alerts.rules.rule import CONDITIONS
from alerts.rules.table import read_rule
from core.errors import BadInput
from dashboard.alert_draft import FieldKind, draft_fields, first_text, rule_of
from dashboard.i18n.texts import LANGUAGES, Texts

_COMMON: dict[str, Any] = {
    "nome": "",
    "moedas": (),
    "canais": (),
    "espera": "30m",
    "avisar_normal": False,
    "urgente": False,
}


def _first(kind: ConditionKind) -> dict[str, str]:
    fields = [field for field in draft_fields(kind) if not field.one_of or field.key == field.one_of[-1]]
    return {
        field.key: field.first if field.kind is FieldKind.CHOICE else first_text(kind, field.key, 67_000.0, 2, "pt")
        for field in fields
    }


@pytest.mark.parametrize("kind", ConditionKind)
def test_the_form_as_it_first_appears_is_a_rule(kind: ConditionKind) -> None:
    """Each condition comes with values that make sense, and its rule is named by its own sentence."""
    rule = rule_of(kind, _first(kind), _COMMON, "pt")
    assert rule.condition.KIND is kind
    assert rule.name
    assert rule.coins == (None if CONDITIONS[kind].SCOPE in (Scope.PRICES, Scope.FORECASTS) else ())


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", ConditionKind)
def test_every_field_and_condition_has_a_text(kind: ConditionKind, language: str) -> None:
    """No field is shown by its key."""
    texts = Texts(language)
    assert texts(f"alert_condition.{kind}")
    for field in draft_fields(kind):
        assert texts(f"alert_field.{field.key}")


def test_numbers_are_read_in_the_language_of_the_page() -> None:
    """`1.500,50` is fifteen hundred and a half in Portuguese."""
    common = _COMMON | {"moedas": ("bitcoin",), "canais": ("telegram",), "nome": "Meu nível"}
    rule = rule_of(ConditionKind.PRICE_ABOVE, {"nivel": "1.500,50"}, common, "pt")
    assert rule == read_rule(
        {"condicao": "preco_acima", "nome": "Meu nível", "moedas": ["bitcoin"], "nivel": 1500.5, "canais": ["telegram"]}
    )


@pytest.mark.parametrize("typed", ["", "abc", "-1", "0"])
def test_what_is_no_level_is_refused(typed: str) -> None:
    """An empty, worded, negative or zero level makes no rule."""
    with pytest.raises(BadInput):
        rule_of(ConditionKind.PRICE_ABOVE, {"nivel": typed}, _COMMON, "pt")
