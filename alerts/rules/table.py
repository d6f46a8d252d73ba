"""A rule as a flat table of plain values, as alerts.toml and alerts.db hold it, and back."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, fields
from typing import Any, Final

from alerts.rules.condition import Condition, Scope
from alerts.rules.rule import CONDITIONS, Rule, condition_key, keys_of
from core.errors import BadInput, message_of
from core.wording import Message, message

__all__ = ["Problem", "RuleProblems", "nearest_hint", "read_fields", "read_rule", "write_rule"]

Problem = tuple[str | None, Message]
"""The key at fault, None for the table as a whole, and what is wrong."""

_WITH_COINS: Final = (Scope.PRICES, Scope.FORECASTS)
_COINS: Final = "moedas"


class RuleProblems(BadInput):
    """What is wrong with a table, one problem for each key."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(self.problems[0][1])


def read_rule(table: Mapping[str, object]) -> Rule:
    """The rule of a table.

    Raises:
        RuleProblems: with everything that is wrong.
    """
    kind = condition_key()
    if kind.name not in table:
        raise RuleProblems([(None, message("alert.file.missing", key=kind.name))])
    try:
        owner = CONDITIONS[kind.read(table[kind.name])]
    except BadInput as error:
        raise RuleProblems([(kind.name, _named(kind.name, error))]) from None
    problems: list[Problem] = []
    own, common = ({key.name for key in keys_of(part).values()} for part in (owner, Rule))
    problems += _unknown(table, {kind.name, *own, *common})
    condition_values = read_fields(owner, table, problems)
    rule_values = read_fields(Rule, table, problems)
    problems += _contradictions(owner, table)
    if problems:
        raise RuleProblems(problems)
    rule = Rule(owner(**condition_values), **rule_values)
    if rule.tell_normal and rule.condition.is_switch:
        raise RuleProblems([("avisar_normal", message("alert.file.no_normal", condition=owner.KIND.value))])
    return rule


def write_rule(rule: Rule) -> dict[str, Any]:
    """The table of a rule; what has its default value is left out."""
    kind = condition_key()
    table: dict[str, Any] = {"nome": rule.name, kind.name: kind.write(rule.condition.KIND)}
    for part in (rule.condition, rule):
        for name, key in keys_of(type(part)).items():
            value = getattr(part, name)
            if value != _default(type(part), name):
                table[key.name] = key.write(value)
    return {name: list(value) if isinstance(value, tuple) else value for name, value in table.items()}


def read_fields(owner: type[Any], table: Mapping[str, object], problems: list[Problem]) -> dict[str, Any]:
    """Values of the fields of a dataclass that a table gives; what is wrong is added to the problems."""
    values: dict[str, Any] = {}
    for name, key in keys_of(owner).items():
        if key.name not in table:
            if _default(owner, name) is MISSING:
                problems.append((None, message("alert.file.missing", key=key.name)))
            continue
        try:
            values[name] = key.read(table[key.name])
        except BadInput as error:
            problems.append((key.name, _named(key.name, error)))
    return values


def nearest_hint(word: str, known: Iterable[str]) -> Message:
    """The problem of an unknown key, with the one that was probably meant."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    if near:
        return message("alert.file.unknown_but_near", key=word[:60], near=near[0])
    return message("alert.file.unknown", key=word[:60])


def _unknown(table: Mapping[str, object], known: set[str]) -> list[Problem]:
    return [(word, nearest_hint(word, known)) for word in table if word not in known]


def _contradictions(owner: type[Condition], table: Mapping[str, object]) -> list[Problem]:
    """What no single value shows: coins that are missing or out of place, and a choice of keys not made."""
    problems: list[Problem] = []
    if owner.SCOPE in _WITH_COINS and _COINS not in table:
        problems.append((None, message("alert.file.missing", key=_COINS)))
    if owner.SCOPE not in (*_WITH_COINS, Scope.COVERAGE) and _COINS in table:
        problems.append((_COINS, message("alert.file.no_coins", condition=owner.KIND.value)))
    if owner.ONE_OF and sum(name in table for name in owner.ONE_OF) != 1:
        problems.append((None, message("alert.file.one_of", keys=", ".join(owner.ONE_OF))))
    return problems


def _named(key: str, error: BadInput) -> Message:
    return message("alert.file.invalid", key=key, reason=message_of(error))


def _default(owner: type[Any], name: str) -> Any:
    part = next(part for part in fields(owner) if part.name == name)
    return part.default if part.default_factory is MISSING else part.default_factory()
