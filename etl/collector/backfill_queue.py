"""The queue of coins whose last 24 hours are still to be fetched; it survives a restart."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final

__all__ = ["BackfillQueue"]

_MAX_REFUSALS: Final = 3


class BackfillQueue:
    """One coin at a time; a coin that failed goes to the end, one refused three times is left out."""

    def __init__(self) -> None:
        self._waiting: dict[str, int] = {}
        self.total = 0
        self.failures = 0

    @property
    def next(self) -> str | None:
        """The coin to fetch now, or None when all is done."""
        return next(iter(self._waiting), None)

    @property
    def done(self) -> int:
        """How many of `total` are fetched or left out."""
        return self.total - len(self._waiting)

    def add(self, coin_ids: Iterable[str]) -> None:
        """Queue coins; those that wait already keep their place. A queue that was empty counts from zero again."""
        if not self._waiting:
            self.total = 0
        for coin_id in coin_ids:
            if coin_id not in self._waiting:
                self._waiting[coin_id] = 0
                self.total += 1

    def keep(self, coin_ids: Iterable[str]) -> None:
        """Forget coins that are not among `coin_ids`: they are collected no more."""
        wanted = set(coin_ids)
        for coin_id in [waiting for waiting in self._waiting if waiting not in wanted]:
            del self._waiting[coin_id]
            self.total -= 1

    def fetched(self, coin_id: str) -> None:
        """The coin's chart is stored."""
        self._waiting.pop(coin_id, None)
        self.failures = 0

    def failed(self, coin_id: str, *, refused: bool) -> bool:
        """Put the coin at the end; True if it was refused once too often and is left out."""
        self.failures += 1
        refusals = self._waiting.pop(coin_id, 0) + refused
        if refusals >= _MAX_REFUSALS:
            return True
        self._waiting[coin_id] = refusals
        return False

    def dump_state(self) -> str:
        """The waiting coins as JSON, for the next start."""
        return json.dumps(list(self._waiting))

    def load_state(self, text: str) -> None:
        """Queue what waited before the restart; raises what bad JSON raises."""
        self.add(list(json.loads(text)))
