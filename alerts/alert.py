"""An alert: what a rule has to tell, and what it saw. The same alert has the same key for ever."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from pydantic import TypeAdapter, ValidationError

from core.errors import DamagedFile
from core.files import json_object

__all__ = ["Alert", "AlertKind", "Sight", "alert_from_json", "alert_key", "alert_to_json"]

_KEY_DIGITS: Final = 32


class AlertKind(StrEnum):
    """Why something is told: a condition holds, it holds no more, or somebody tries a channel."""

    FIRED = "fired"
    NORMAL = "normal"
    TEST = "test"


@dataclass(frozen=True)
class Sight:
    """What was seen for one coin, one process, or the suite as a whole (neither).

    Attributes:
        coin: id, or None.
        at_ms: event time of the price or forecast that decided, in UTC milliseconds.
        figures: named numbers: price, level, change, probability, percentile, low, high …
        since_ms: when the state began that is told; `at_ms` or earlier.
        process: name of a process of the suite, or None.
    """

    coin: str | None
    at_ms: int
    figures: Mapping[str, float] = field(default_factory=dict)
    since_ms: int = 0
    process: str | None = None

    @property
    def subject(self) -> str:
        """The coin or process, or "" for the suite as a whole."""
        return self.coin or self.process or ""


@dataclass(frozen=True)
class Alert:
    """Something to tell.

    Attributes:
        key: recognises the same alert wherever it is told again.
        rule: id of the rule.
        name: what the person called the rule.
        condition: value of the condition's kind.
        sights: several where many coins moved at once, or where quiet hours ended.
        source: coingecko, demo or replay.
        channels: names of the channels on which it is told.
    """

    key: str
    rule: str
    name: str
    condition: str
    kind: AlertKind
    sights: tuple[Sight, ...]
    source: str
    channels: tuple[str, ...] = ()


_ALERT: Final = TypeAdapter(Alert)


def alert_key(rule: str, kind: AlertKind, sights: Iterable[Sight]) -> str:
    """The key of an alert: the same for the same rule, kind, subjects and beginnings."""
    seen = sorted((sight.subject, sight.since_ms or sight.at_ms) for sight in sights)
    return hashlib.sha256(json.dumps([rule, kind.value, seen]).encode()).hexdigest()[:_KEY_DIGITS]


def alert_to_json(alert: Alert) -> str:
    """The alert as one line of JSON."""
    plain = {**vars(alert), "sights": [vars(sight) for sight in alert.sights]}
    return json.dumps(plain, ensure_ascii=False, separators=(",", ":"))


def alert_from_json(text: str) -> Alert:
    """The alert of `alert_to_json`.

    Raises:
        DamagedFile: the text is no alert.
    """
    try:
        return _ALERT.validate_python(json_object(text.encode(errors="replace"), "alert"))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise DamagedFile(f"alert: {first['loc']}: {first['msg']}") from error
