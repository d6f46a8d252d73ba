"""What becomes of a condition over time: when it is told, when it is told again, and when it is back to normal.

Pure functions of states and what was seen. There is one episode for each rule and subject, so (rules, subjects) arrays
hold all of them. All times are event times, in UTC milliseconds, so that an outage of this process changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from alerts.conditions.sides import UNKNOWN, Sides
from alerts.rules.rule import Rule

__all__ = ["NEVER_MS", "Episodes", "Policy", "Step", "advance"]

NEVER_MS: Final = 0

_Flags = npt.NDArray[np.bool_]
_Times = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Policy:
    """How the rules are told, as columns (rules, 1)."""

    cool_down_ms: _Times
    is_switch: _Flags

    @classmethod
    def of(cls, rules: Sequence[Rule]) -> Policy:
        """The policy of some rules."""
        return cls(
            np.array([rule.cool_down_ms for rule in rules], np.int64)[:, None],
            np.array([rule.condition.is_switch for rule in rules], np.bool_)[:, None],
        )


@dataclass(frozen=True)
class Episodes:
    """States (rules, subjects) as `alerts.store.Episode` has them."""

    side: Sides
    told: Sides
    since_ms: _Times
    told_ms: _Times

    @classmethod
    def at_first(cls, policy: Policy, subjects: int) -> Episodes:
        """Nothing was seen: a state is told when it begins, a switch only after its first side is known."""
        shape = (len(policy.is_switch), subjects)
        told = np.broadcast_to(np.where(policy.is_switch, -1, 0), shape).astype(np.int8)
        return cls(np.full(shape, -1, np.int8), told, np.zeros(shape, np.int64), np.full(shape, NEVER_MS, np.int64))

    def at(self, places: npt.NDArray[np.int64]) -> Episodes:
        """The states of some subjects."""
        return Episodes(self.side[:, places], self.told[:, places], self.since_ms[:, places], self.told_ms[:, places])

    def put(self, places: npt.NDArray[np.int64], states: Episodes) -> None:
        """Replace the states of some subjects."""
        self.side[:, places], self.told[:, places] = states.side, states.told
        self.since_ms[:, places], self.told_ms[:, places] = states.since_ms, states.told_ms


@dataclass(frozen=True)
class Step:
    """What one look changes: the new states, and which of them fired, ended, or are to be stored again."""

    states: Episodes
    fired: _Flags
    ended: _Flags
    changed: _Flags


def advance(before: Episodes, policy: Policy, sides: Sides, at_ms: _Times) -> Step:
    """Carry episodes to what was seen now.

    A state is told once it holds and its cool-down is over; it has ended when it holds no more after it was told.
    A switch is told when its side is another one than told last.

    Args:
        before: states of the subjects that were seen.
        policy: of the rules.
        sides: (rules, subjects).
        at_ms: (subjects,).
    """
    side = np.where(sides >= 0, sides, before.side)
    begins = side != before.side
    since_ms = np.where(begins, at_ms, before.since_ms)
    is_first = policy.is_switch & (before.told < 0)
    told = np.where(is_first, side, before.told)
    elapsed_ms = at_ms - before.told_ms
    is_cool = (elapsed_ms >= policy.cool_down_ms) | (elapsed_ms < 0) | (before.told_ms == NEVER_MS)
    differs = (sides != UNKNOWN) & (side >= 0) & (side != told)
    fired = differs & is_cool & (policy.is_switch | (side > 0))
    ended = differs & ~policy.is_switch & (side == 0)
    told = np.where(fired | ended, side, told)
    told_ms = np.where(fired, at_ms, before.told_ms)
    return Step(Episodes(side, told, since_ms, told_ms), fired, ended, begins | (told != before.told) | fired)
