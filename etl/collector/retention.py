"""Retention: thins prices older than the retention time to one per 5 minutes, a coin and a day at a time."""

from __future__ import annotations

import logging
import re
from typing import Final

from core.price_store import PriceWriter
from core.times import DAY_MS, GRID_STEP_MS

__all__ = ["Retention"]

_CURSOR: Final = "thinned_to_ms"
_CURSOR_TEXT: Final = re.compile(r"[0-9]{1,15}")

_log = logging.getLogger(__name__)


class Retention:
    """Thins whole UTC days older than `keep_days`; each `step` is one short transaction, so that readers never wait.

    It keeps the last price of each 5-minute interval that ends on the grid, at its own event time. The store holds how
    far the thinning has come; a step repeated after a crash changes nothing.
    """

    def __init__(self, writer: PriceWriter, keep_days: int) -> None:
        self._writer = writer
        self._keep_ms = keep_days * DAY_MS
        self._day_ms: int | None = None
        self._coins: list[str] = []

    def step(self, now_ms: int) -> bool:
        """Thin one day of one coin; False when nothing is old enough.

        Raises:
            StorageProblem, DamagedFile: as PriceWriter does; the step will be repeated.
        """
        day_ms = self._day_ms if self._day_ms is not None else self._first_day()
        if day_ms is None or day_ms + DAY_MS > now_ms - self._keep_ms:
            return False
        if self._day_ms is None:
            self._day_ms, self._coins = day_ms, self._writer.coin_ids()
        if self._coins:
            self._writer.thin(self._coins[-1], day_ms, day_ms + DAY_MS, GRID_STEP_MS)
            self._coins.pop()
        else:
            self._writer.set_meta({_CURSOR: str(day_ms + DAY_MS)})
            self._day_ms = None
        return True

    def _first_day(self) -> int | None:
        """Start of the first day that is not thinned yet, or None without prices."""
        times = [ts_ms for coin in self._writer.coin_ids() if (ts_ms := self._writer.oldest_ms(coin)) is not None]
        if not times:
            return None
        oldest_day = min(times) // DAY_MS * DAY_MS
        cursor = self._writer.meta(_CURSOR)
        if cursor is None:
            return oldest_day
        if not _CURSOR_TEXT.fullmatch(cursor):
            _log.warning("invalid end of the thinned prices (%.40r): starting with the oldest price", cursor)
            return oldest_day
        return max(int(cursor) // DAY_MS * DAY_MS, oldest_day)
