"""What alerts.db holds, as values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from alerts.alert import Alert
from alerts.rules.rule import Rule

__all__ = ["DeadLetter", "Delivery", "DeliveryState", "Episode", "Evaluation", "StoredRule", "Told"]


class DeliveryState(StrEnum):
    """How far a delivery has come."""

    DUE = "due"
    DELIVERED = "delivered"
    DEAD = "dead"


@dataclass(frozen=True)
class Delivery:
    """An alert that is to be sent on one channel; `first_tried_ms` is None before the first attempt."""

    id: int
    channel: str
    alert: Alert
    attempts: int
    first_tried_ms: int | None


@dataclass(frozen=True)
class DeadLetter:
    """A delivery that was given up, why, and when."""

    delivery: Delivery
    reason: str
    at_ms: int


@dataclass(frozen=True)
class Told:
    """An alert that was recorded at `recorded_ms`, and how far it has come on each channel.

    `held_until_ms` is when the quiet hours end that hold it back; None if it is not held.
    """

    alert: Alert
    recorded_ms: int
    held_until_ms: int | None
    deliveries: Mapping[str, DeliveryState]


@dataclass(frozen=True)
class StoredRule:
    """A rule made in the dashboard, by the number under which it can be changed and removed."""

    number: int
    rule: Rule
    created_ms: int
    is_on: bool


class Episode(NamedTuple):
    """What is known of one rule and one subject (coin, process, or "" for the suite).

    Attributes:
        side: the state that holds now: 0 where the condition does not hold, 1 where it does; -1 when unknown.
            Conditions that tell changes have one number for each of their states.
        told: the state that was told last.
        since_ms: when `side` began.
        told_ms: when something was told last; 0 for never.
    """

    rule: str
    subject: str
    side: int
    told: int
    since_ms: int
    told_ms: int


@dataclass(frozen=True)
class Evaluation:
    """What one evaluation changes.

    Attributes:
        episodes: those that changed.
        cursors: coin → event time of the newest price that was evaluated.
        alerts: to be told.
        held_until_ms: key → end of the quiet hours, for those that are held back.
    """

    episodes: Sequence[Episode] = ()
    cursors: Mapping[str, int] = field(default_factory=dict)
    alerts: Sequence[Alert] = ()
    held_until_ms: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Whether nothing changes."""
        return not (self.episodes or self.cursors or self.alerts)
