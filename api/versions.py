"""What answers depend on, looked up at most every 50 ms, and for how long it stays as it is."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
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


@dataclass
class _Burst:
    """Changes of one interval; the first came after one time and by another, both in monotonic seconds."""

    begun_after: float
    begun_by: float
    lasts_until: float


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

    What changes once an interval may do so in a burst of several steps: a poll commits page by page, scores follow the
    forecasts. Nothing is certain while a burst may last, as long as the longer of the last two; then all is until the
    next one may begin, after the shorter of their distances. Times of changes are known between two looks, and the more
    careful end counts: rare looks make it cautious, never wrong.
    """

    def __init__(self, longest_s: float) -> None:
        self._longest_s = longest_s
        self._token: str | None = None
        self._looked_at = -math.inf
        self._burst: _Burst | None = None
        self._past: deque[tuple[float, float]] = deque(maxlen=2)
        """Of the last bursts: the least distance to the next one, and the most that it lasted."""

    def look(self, token: str | None, now: float) -> float:
        """Take note of the version at time `now` in monotonic seconds; until when it stays, or a time in the past."""
        if self._token is None:
            self._past.clear()
            self._burst = None
        elif token != self._token:
            self._note_change(now)
        self._token, self._looked_at = token, now
        return self._certain_until(now)

    def _note_change(self, now: float) -> None:
        burst = self._burst
        if burst is not None and now - burst.begun_by < self._longest_s / 2:
            burst.lasts_until = now
            return
        if burst is not None:
            distance_s = min(self._looked_at - burst.begun_by, self._longest_s)
            self._past.append((distance_s, burst.lasts_until - burst.begun_after))
        self._burst = _Burst(self._looked_at, now, now)

    def _certain_until(self, now: float) -> float:
        if self._burst is None or len(self._past) < 2:
            return -math.inf
        longest_s = max(length_s for _, length_s in self._past)
        if now < self._burst.begun_by + longest_s:
            return -math.inf
        return self._burst.begun_after + _CERTAIN_SHARE * min(distance_s for distance_s, _ in self._past)


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
        tokens = {
            Basis.PUBLICATION: publication,
            Basis.MOMENT: f"{now // _MOMENT_S:.0f}",
            Basis.CLOSED: f"{place} {now // _CLOSED_S:.0f}",
        }
        if prices is not None:
            tokens |= {Basis.PRICES: prices, Basis.BOTH: f"{prices} {publication}"}
        prices_until, publication_until = self._prices.look(prices, now), self._publication.look(publication, now)
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
