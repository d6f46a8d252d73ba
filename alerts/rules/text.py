"""A rule in words, for the dashboard, `--check` and the replay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Final

from alerts.rules.coin_conditions import LevelChance, RegimeChange, SizeForecast
from alerts.rules.rule import Rule
from alerts.rules.suite_conditions import ProcessDown, ProcessRestarted
from alerts.rules.values import write_duration
from core.number_format import format_number, level_text
from core.times import MINUTE_MS
from core.wording import Value, message, say

__all__ = ["rule_text"]

_DURATIONS: Final = {"span_ms": "span", "after_ms": "after"}


def rule_text(rule: Rule, language: str = "pt", names: Mapping[str, str] | None = None) -> str:
    """What a rule waits for, in one line; coins by their `names`, those without one as the rule names them."""
    condition = rule.condition
    values: dict[str, Value] = {"subjects": _subjects(rule, language, names or {})}
    for part in fields(condition):
        value = getattr(condition, part.name)
        name = _DURATIONS.get(part.name, part.name)
        values[name] = write_duration(value) if part.name in _DURATIONS else _value(part.name, value, language)
    if isinstance(condition, SizeForecast):
        kind = "percent" if condition.percentile is None else "percentile"
        values["threshold"] = _word(kind, language, value=_value("", condition.threshold, language))
    if isinstance(condition, LevelChance):
        values["horizon"] = write_duration(condition.horizon_min * MINUTE_MS)
        if condition.level is None:
            values["level"] = _word("away", language, value=_signed(condition.distance or 0.0, language))
    if isinstance(condition, RegimeChange):
        wanted = condition.to
        values["regime"] = (
            _word("any", language) if wanted is None else say(message(f"alert.regime.{wanted}"), language)
        )
    return say(message(f"alert.rule.{condition.KIND}", **values), language)


def _subjects(rule: Rule, language: str, names: Mapping[str, str]) -> str:
    if isinstance(rule.condition, ProcessDown | ProcessRestarted):
        processes = rule.condition.processes
        if processes is None:
            return _word("needed", language)
        return ", ".join(say(message(f"alert.process.{name}"), language) for name in processes)
    if rule.coins is None:
        return _word("all_coins", language)
    return ", ".join(names.get(coin, coin) for coin in rule.coins) or say(message("alert.subject.all"), language)


def _value(name: str, value: Any, language: str) -> Value:
    if name == "level" and value is not None:
        return level_text(value, language)
    if name == "direction":
        return _word(str(value), language)
    if isinstance(value, float):
        return format_number(value, 0 if value == round(value) else 2, language)
    return str(value)


def _signed(value: float, language: str) -> str:
    return f"{'+' if value > 0 else '−' if value < 0 else ''}{_value('', abs(value), language)}"


def _word(name: str, language: str, **values: Value) -> str:
    return say(message(f"alert.word.{name}", **values), language)
