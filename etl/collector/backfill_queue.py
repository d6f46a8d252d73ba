"""The queue of coins whose last 24 hours are not fetched yet; it survives a restart."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final

__all__ = ["BackfillQueue"]

_MAX_FAILURES: Final = 99
"""Of one coin while polls succeed; where it waits alone they take six hours."""

_REFUSAL: Final = 33
"""A refusal counts as so many failures: the third is the last."""


class BackfillQueue:
    """Gives one coin at a time; a failed coin goes to the end, and leaves the queue after three refusals.

    One whose calls fail for another reason leaves it too, but much later: its chart may never come.
    """

    def __init__(self) -> None:
        self._waiting: dict[str, int] = {}
        self.total = 0
        self.failures = 0

    @property
    def next(self) -> str | None:
        """The coin to fetch now, or None."""
        return next(iter(self._waiting), None)

    @property
    def done(self) -> int:
        """How many of `total` are fetched or given up."""
        return self.total - len(self._waiting)

    def add(self, coin_ids: Iterable[str]) -> None:
        """Queue coins; waiting coins keep their place. An empty queue counts from zero again."""
        if not self._waiting:
            self.total = 0
        for coin_id in coin_ids:
            if coin_id not in self._waiting:
                self._waiting[coin_id] = 0
                self.total += 1

    def keep(self, coin_ids: Iterable[str]) -> None:
        """Drop the coins that are not in `coin_ids`, because they are no longer collected."""
        wanted = set(coin_ids)
        for coin_id in [waiting for waiting in self._waiting if waiting not in wanted]:
            del self._waiting[coin_id]
            self.total -= 1

    def fetched(self, coin_id: str) -> None:
        """Take a coin out: its chart is stored."""
        self._waiting.pop(coin_id, None)
        self.failures = 0

    def failed(self, coin_id: str, *, refused: bool) -> bool:
        """Put the coin at the end; True if it has failed too often and is given up."""
        self.failures += 1
        failures = self._waiting.pop(coin_id, 0) + (_REFUSAL if refused else 1)
        if failures >= _MAX_FAILURES:
            return True
        self._waiting[coin_id] = failures
        return False

    def dump_state(self) -> str:
        """The waiting coins as JSON, for the next start."""
        return json.dumps(list(self._waiting))

    def load_state(self, text: str) -> None:
        """Queue the coins that waited before the restart; raises what invalid JSON raises."""
        self.add(list(json.loads(text)))
