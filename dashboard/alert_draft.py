"""A rule of alerts as a visitor fills it in: the fields of each condition, and the rule that comes of them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from enum import StrEnum
from typing import Any, Final

from alerts.rules.coin_conditions import Direction
from alerts.rules.condition import Condition, ConditionKind, Scope
from alerts.rules.rule import CONDITIONS, Rule, keys_of
from alerts.rules.table import read_rule
from alerts.rules.text import rule_text
from alerts.rules.values import ALL
from core.answers.regime import Regime
from core.forecast_levels import HORIZONS_MIN
from core.number_format import format_number
from dashboard.i18n.typed_numbers import typed_number

__all__ = ["COIN_SCOPES", "DraftField", "FieldKind", "draft_fields", "first_text", "rule_of"]

COIN_SCOPES: Final = (Scope.PRICES, Scope.FORECASTS, Scope.COVERAGE)
"""What conditions may be about if they are about coins."""

_DURATIONS: Final = ("1m", "5m", "15m", "30m", "1h", "6h", "1d", "7d")
_CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "periodo": _DURATIONS,
    "ha": _DURATIONS,
    "direcao": tuple(way.value for way in Direction),
    "faixa": ("80", "95"),
    "horizonte": tuple(str(horizon) for horizon in HORIZONS_MIN),
    "para": ("", *(regime.value for regime in Regime)),
}
_NUMBERS: Final = ("faixa", "horizonte")
_FIRST: Final[Mapping[str, float]] = {
    "percentual": 3,
    "percentil": 90,
    "probabilidade": 70,
    "distancia": 1,
    "tolerancia": 10,
    "livre_gb": 2,
    "restante": 10,
}
_FIRST_PERCENT: Final = 1.0
_FIRST_SPAN: Final = "1h"
_SKIPPED: Final = "processos"


class FieldKind(StrEnum):
    """How a field is filled in."""

    NUMBER = "number"
    CHOICE = "choice"


@dataclass(frozen=True)
class DraftField:
    """A field of a condition.

    Attributes:
        key: its word in alerts.toml.
        options: of a choice; "" stands for any.
        first: the option chosen at first.
        one_of: the keys of which it is one, if exactly one of several is to be filled in.
    """

    key: str
    kind: FieldKind
    options: tuple[str, ...] = ()
    first: str = ""
    one_of: tuple[str, ...] = ()


def draft_fields(kind: ConditionKind) -> list[DraftField]:
    """The fields of a condition, in order; which processes it watches is left to alerts.toml."""
    owner = CONDITIONS[kind]
    return [_field(owner, name, key.name, key.write) for name, key in keys_of(owner).items() if key.name != _SKIPPED]


def first_text(kind: ConditionKind, key: str, price: float | None, decimals: int, language: str) -> str:
    """What a number's field holds at first: the coin's price for a level, or a usual value."""
    if key == "nivel":
        if kind in (ConditionKind.EXPECTED_MOVE, ConditionKind.BAND_WIDTH):
            return format_number(_FIRST_PERCENT, 0, language)
        return "" if price is None else format_number(price, decimals, language)
    return format_number(_FIRST[key], 0, language)


def rule_of(
    kind: ConditionKind,
    typed: Mapping[str, str],
    common: Mapping[str, Any],
    language: str,
    names: Mapping[str, str] | None = None,
) -> Rule:
    """The rule of a form.

    Args:
        kind: its condition.
        typed: key of a condition's field → what was typed or chosen.
        common: `nome`, `moedas` (ids; empty for all), `canais`, `espera`, `avisar_normal`, `urgente`.
        language: in which numbers were typed; a rule without a name gets its sentence in it.
        names: of coins, for that sentence.

    Raises:
        BadInput: what is wrong, as `alerts.rules.table.read_rule` tells it.
    """
    owner = CONDITIONS[kind]
    table: dict[str, Any] = {"condicao": kind.value}
    for field in draft_fields(kind):
        if typed.get(field.key):
            table[field.key] = _value(field, typed[field.key].strip(), language)
    if owner.SCOPE in COIN_SCOPES and (common["moedas"] or owner.SCOPE is not Scope.COVERAGE):
        table["moedas"] = list(common["moedas"]) or ALL
    table |= {name: common[name] for name in ("espera", "avisar_normal", "urgente")}
    if common["canais"]:
        table["canais"] = list(common["canais"])
    name = str(common["nome"]).strip() or rule_text(read_rule(table | {"nome": kind.value}), language, names)
    return read_rule(table | {"nome": name})


def _field(owner: type[Condition], name: str, key: str, write: Any) -> DraftField:
    default = next(part.default for part in fields(owner) if part.name == name)
    one_of = owner.ONE_OF if key in owner.ONE_OF else ()
    if key not in _CHOICES:
        return DraftField(key, FieldKind.NUMBER, one_of=one_of)
    first = _FIRST_SPAN if default is MISSING else "" if default is None else str(write(default))
    return DraftField(key, FieldKind.CHOICE, _with(_CHOICES[key], first), first, one_of)


def _with(options: Sequence[str], first: str) -> tuple[str, ...]:
    return tuple(options) if first in options else (first, *options)


def _value(field: DraftField, text: str, language: str) -> object:
    if field.kind is FieldKind.CHOICE:
        return int(text) if field.key in _NUMBERS else text
    value = typed_number(text, language)
    return text if value is None else value
