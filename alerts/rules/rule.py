"""Rules as typed values: a condition, where it is watched, and how it is told."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any, Final

from alerts.rules.coin_conditions import (
    BandWidth,
    Change,
    EndsAbove,
    EndsBelow,
    ExpectedMove,
    OutsideBand,
    PriceAbove,
    PriceBelow,
    PriceCrosses,
    RegimeChange,
    Touches,
)
from alerts.rules.condition import Condition, ConditionKind
from alerts.rules.suite_conditions import CallsLow, CoverageOut, DataStale, DiskLow, ProcessDown, ProcessRestarted
from alerts.rules.values import ALL, Key, choice, duration, flag, key, number, text, words, write_duration
from core.times import DAY_MS, MINUTE_MS

__all__ = ["CONDITIONS", "Rule", "condition_key", "keys_of"]

CONDITIONS: Final[dict[ConditionKind, type[Condition]]] = {
    condition.KIND: condition
    for condition in (
        PriceAbove,
        PriceBelow,
        PriceCrosses,
        Change,
        OutsideBand,
        ExpectedMove,
        BandWidth,
        EndsAbove,
        EndsBelow,
        Touches,
        RegimeChange,
        CoverageOut,
        DataStale,
        ProcessDown,
        ProcessRestarted,
        DiskLow,
        CallsLow,
    )
}


@dataclass(frozen=True)
class Rule:
    """A condition, where it is watched, and how it is told.

    Attributes:
        coins: ids or symbols in lower case; None for all coins, () for a condition about the suite.
        cool_down_ms: after an alert the next one of the same coin waits so long.
        slack_percent: hysteresis; None for the condition's own.
        tell_normal: whether the end is told too.
        urgent: whether quiet hours do not count.
    """

    condition: Condition
    name: str = field(metadata=key("nome", text))
    coins: tuple[str, ...] | None = field(default=(), metadata=key("moedas", words(ALL), lambda coins: coins or ALL))
    channels: tuple[str, ...] = field(default=(), metadata=key("canais", words()))
    cool_down_ms: int = field(default=30 * MINUTE_MS, metadata=key("espera", duration(0, 30 * DAY_MS), write_duration))
    slack_percent: float | None = field(default=None, metadata=key("folga", number(0, 50)))
    tell_normal: bool = field(default=False, metadata=key("avisar_normal", flag))
    urgent: bool = field(default=False, metadata=key("urgente", flag))

    @cached_property
    def id(self) -> str:
        """Sixteen digits that change with what is watched, not with name and channels."""
        watched = (self.coins and sorted(self.coins), self.cool_down_ms, self.slack, self.tell_normal, self.urgent)
        said = [self.condition.KIND, [str(getattr(self.condition, part.name)) for part in fields(self.condition)]]
        return hashlib.sha256(json.dumps([said, watched]).encode()).hexdigest()[:16]

    @property
    def slack(self) -> float:
        """The hysteresis in percent."""
        return self.condition.SLACK_PERCENT if self.slack_percent is None else self.slack_percent


def keys_of(owner: type[Any]) -> dict[str, Key]:
    """The fields of a condition or of `Rule` that stand in alerts.toml: attribute → key."""
    return {part.name: part.metadata["key"] for part in fields(owner) if "key" in part.metadata}


def condition_key() -> Key:
    """How the condition of a rule stands in alerts.toml."""
    return Key("condicao", choice(*ConditionKind), str)
