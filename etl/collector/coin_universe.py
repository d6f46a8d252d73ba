"""Which coins are collected: named ids, or the N largest, looked up once a day."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final

from core.errors import BadReply
from core.settings import Settings, Source
from core.times import DAY_MS, HOUR_MS
from etl.coingecko.client import PER_PAGE

__all__ = ["Universe"]

_EVERYTHING: Final = 10_000
_MAX_IDS_CHARS: Final = 5000
_MIN_IDS_CHARS: Final = 300


class Universe:
    """The ids to collect (`ids`), and the batches that fit into one URL each.

    Ranks change between two pages, so the N largest are looked up as ids and then polled by id. A replay without named
    coins collects every coin of the recording.
    """

    def __init__(self, settings: Settings) -> None:
        everything = settings.source is Source.REPLAY and settings.coins is None
        self._count = _EVERYTHING if everything else settings.top
        self.ids: tuple[str, ...] = () if everything else settings.coin_ids
        self._resolved_ms = 0
        self._found: dict[str, None] = {}
        self._pages = 0
        self._longest_ids = _MAX_IDS_CHARS

    def is_due(self, wall_ms: int) -> bool:
        """Whether it is time to look up the N largest."""
        return self._count is not None and (not self.ids or abs(wall_ms - self._resolved_ms) >= DAY_MS)

    @property
    def next_page(self) -> int:
        """Number of the next page of the look-up, from 1."""
        return self._pages + 1

    def add_page(self, ids: Iterable[str], *, is_last: bool, wall_ms: int) -> bool:
        """Add the ids of the next page, the largest first; True when the look-up is complete.

        A list of fewer than N coins is in force for an hour only: its last page may have come short.

        Raises:
            BadReply: the list is empty or shorter than the one in force.
        """
        wanted = self._count or 0
        self._pages += 1
        for coin_id in ids:
            if len(self._found) < wanted:
                self._found.setdefault(coin_id)
        if len(self._found) < wanted and not is_last:
            return False
        if len(self._found) < max(len(self.ids), 1):
            raise BadReply(f"a list of {len(self._found)} coins after one of {len(self.ids)}")
        self.ids, self._resolved_ms = tuple(self._found), wall_ms
        self._found, self._pages = {}, 0
        if len(self.ids) < wanted:
            self.postpone(wall_ms)
        return True

    def postpone(self, wall_ms: int) -> None:
        """Keep the current ids for another hour, after a look-up that failed or came short."""
        self._found, self._pages = {}, 0
        self._resolved_ms = wall_ms - DAY_MS + HOUR_MS

    def batches(self) -> list[tuple[str, ...]]:
        """The ids in batches of at most 250 neighbours by id, each short enough for one URL."""
        batches: list[list[str]] = []
        room = 0
        for coin_id in sorted(self.ids):
            if not batches or len(batches[-1]) >= PER_PAGE or room < len(coin_id) + 1:
                batches.append([])
                room = self._longest_ids
            batches[-1].append(coin_id)
            room -= len(coin_id) + 1
        return [tuple(batch) for batch in batches]

    def shorten(self) -> None:
        """Halve the length of URLs, after one was refused as too long."""
        self._longest_ids = max(self._longest_ids // 2, _MIN_IDS_CHARS)

    def dump_state(self) -> str:
        """The looked-up ids as JSON, for the next start; empty for named ids."""
        if self._count is None:
            return ""
        return json.dumps({"count": self._count, "resolved_ms": self._resolved_ms, "ids": self.ids})

    def load_state(self, text: str) -> None:
        """Restore the ids of the last run if they are for the same N and of a later look-up than those in force.

        Raises what invalid JSON raises.
        """
        if self._count is None:
            return
        known = json.loads(text)
        if known.get("count") != self._count:
            return
        ids, resolved_ms = tuple(known["ids"]), int(known["resolved_ms"])
        if not ids or not all(isinstance(coin_id, str) for coin_id in ids):
            raise ValueError("not a list of ids")
        if resolved_ms > self._resolved_ms or not self.ids:
            self.ids, self._resolved_ms = ids, resolved_ms
