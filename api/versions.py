"""What answers depend on, looked up at most every 50 ms, and for how long it stays as it is."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from core.errors import ConfigurationError, DamagedFile, NotReady
from core.reading.readers import Readers
from core.settings import Source

__all__ = ["LOOK_EVERY_S", "UNDECIDED", "Basis", "Pace", "VersionClock", "Versions"]

LOOK_EVERY_S: Final = 0.05
UNDECIDED: Final = "indefinida"
"""The source in X-Fonte before it is decided."""

_WATCH_EVERY_S: Final = 1.0
_MOMENT_S: Final = 0.25
_CLOSED_S: Final = 86_400.0
_ONE_CHANGE_S: Final = 0.2
"""Changes within this time are one: a poll commits the prices, then what it notes of itself."""

_CERTAIN_SHARE: Final = 0.9
"""Of the shortest time that the next change can be away; cycles vary by a few percent."""


class Basis(StrEnum):
    """What an answer depends on: as long as that stays the same, so does the answer."""

    PRICES = "prices"
    PUBLICATION = "publication"
    BOTH = "both"
    CLOSED = "closed"
    """A range in the past that no price can join any more: kept for a day, since prices past retention are thinned.
    After a restart with another source its address has other prices, so clients keep live ones alone without asking."""

    MOMENT = "moment"
    """The present time: true for a quarter of a second, never stored by clients."""


@dataclass(frozen=True)
class Versions:
    """One look at the data.

    Attributes:
        source: where the prices come from; None before that is decided.
        tokens: version of each basis; one that is missing cannot be read now, and its answers are not kept.
        fresh_until: on the monotonic clock, until when each basis certainly stays as it is.
    """

    source: str | None
    tokens: Mapping[Basis, str]
    fresh_until: Mapping[Basis, float]

    def allow(self, basis: Basis, version: str) -> bool:
        """Whether an answer of this version is still true."""
        return self.tokens.get(basis) == version

    def max_age_s(self, basis: Basis, now: float) -> int:
        """Whole seconds during which an answer on this basis certainly stays true."""
        return math.floor(max(0.0, self.fresh_until[basis] - now))


class Pace:
    """Tells until when something certainly stays as it is, from the times at which it was seen to change.

    A change happened between two looks. Its earliest time is assumed, and the shortest gap between changes of the last
    two intervals: a poll may commit page by page. Rare looks make it cautious, never wrong.
    """

    def __init__(self, longest_s: float) -> None:
        self._longest_s = longest_s
        self._token: str | None = None
        self._looked_at = -math.inf
        self._changed_after = self._changed_by = -math.inf
        self._gaps: list[tuple[float, float]] = []
        self.fresh_until = -math.inf

    def look(self, token: str | None, now: float) -> None:
        """Take note of the version at time `now` in monotonic seconds."""
        if token != self._token:
            if self._token is None:
                self._gaps, self._changed_by = [], -math.inf
            else:
                self._note_change(now)
            self.fresh_until = self._looked_at + _CERTAIN_SHARE * self._shortest_gap_s(now)
            self._token = token
        self._looked_at = now

    def _note_change(self, now: float) -> None:
        """Take note of a change since the last look; one right after another belongs to it."""
        if now - self._changed_after >= _ONE_CHANGE_S:
            gap_s = self._looked_at - self._changed_by if math.isfinite(self._changed_by) else 0.0
            self._gaps.append((now, min(gap_s, self._longest_s)))
            self._changed_after = self._looked_at
        self._changed_by = now

    def _shortest_gap_s(self, now: float) -> float:
        """The shortest gap that ended within the last two intervals; 0 while none is known."""
        self._gaps = [(at, gap_s) for at, gap_s in self._gaps if at > now - 2 * self._longest_s]
        return min((gap_s for _, gap_s in self._gaps), default=0.0)


class VersionClock:
    """Looks at source, prices and publication at most every `look_every_s`. For the event loop's thread alone."""

    def __init__(self, readers: Readers, interval_s: float, look_every_s: float = LOOK_EVERY_S) -> None:
        self._readers = readers
        self._look_every_s = look_every_s
        self._prices, self._publication = Pace(interval_s), Pace(interval_s)
        self._seen: tuple[float, Versions] | None = None

    def versions(self) -> Versions:
        """The versions now, or at most `look_every_s` ago."""
        now = time.monotonic()
        if self._seen is None or now - self._seen[0] >= self._look_every_s:
            self._seen = (now, self._look(now))
        return self._seen[1]

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Look every second, also while nobody asks, so that `fresh_until` is known well."""
        watch = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            watch.cancel()

    async def _watch(self) -> None:
        while True:
            self.versions()
            await asyncio.sleep(_WATCH_EVERY_S)

    def _look(self, now: float) -> Versions:
        source, place = self._workspace()
        prices, publication = self._price_version(), self._readers.publication_version()
        self._prices.look(prices, now)
        self._publication.look(publication, now)
        tokens = {
            Basis.PUBLICATION: publication,
            Basis.MOMENT: f"{now // _MOMENT_S:.0f}",
            Basis.CLOSED: f"{place} {now // _CLOSED_S:.0f}",
        }
        if prices is not None:
            tokens |= {Basis.PRICES: prices, Basis.BOTH: f"{prices} {publication}"}
        prices_until, publication_until = self._prices.fresh_until, self._publication.fresh_until
        fresh_until = {
            Basis.PRICES: prices_until,
            Basis.PUBLICATION: publication_until,
            Basis.BOTH: min(prices_until, publication_until),
            Basis.CLOSED: now + _CLOSED_S if source == Source.COINGECKO else -math.inf,
            Basis.MOMENT: -math.inf,
        }
        return Versions(source, tokens, fresh_until)

    def _workspace(self) -> tuple[str | None, str]:
        """Source and folder of the data shown."""
        try:
            workspace = self._readers.workspace()
        except (NotReady, ConfigurationError):
            return None, ""
        return workspace.source.value, str(workspace.root)

    def _price_version(self) -> str | None:
        try:
            return self._readers.price_version()
        except (NotReady, DamagedFile, ConfigurationError):
            return None
