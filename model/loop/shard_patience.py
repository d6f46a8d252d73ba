"""How long a shard may say nothing in the middle of an order before it counts as lost."""

from __future__ import annotations

from collections import deque
from typing import Final

__all__ = ["START_S", "Patience"]

_SHARE: Final = 0.2
"""A shard that hangs costs the others this part of the interval: they still publish in the same cycle."""

_LEAST_S: Final = 5.0
"""Also with short intervals a busy machine may keep a process waiting for so long."""

_TIMES: Final = 3.0
"""A silence three times as long as the longest of the last orders is no matter of a busy machine any more."""

_ORDERS: Final = 60
"""So many orders are nearly half an hour with a cycle every 30 seconds: they contain work of each kind."""

START_S: Final = 300.0
"""What a process may take to start, and everything before an order has been measured."""


class Patience:
    """Measures the silences of all shards; `seconds` is the longest that is no reason to give one up.

    Args:
        interval_s: time between two cycles.
    """

    def __init__(self, interval_s: float) -> None:
        self._least_s = max(_LEAST_S, _SHARE * interval_s)
        self._longest_s: deque[float] = deque(maxlen=_ORDERS)
        self._present_s = 0.0

    @property
    def seconds(self) -> float:
        """The longest silence that is borne."""
        measured_s = max(self._longest_s, default=START_S / _TIMES)
        return max(self._least_s, _TIMES * max(measured_s, self._present_s))

    def note(self, silence_s: float) -> None:
        """A shard has said something after a silence."""
        self._present_s = max(self._present_s, silence_s)

    def end_order(self) -> None:
        """All shards have carried out an order, or are lost."""
        self._longest_s.append(self._present_s)
        self._present_s = 0.0
