"""The collector's turns: polls first, back-fill with the remaining calls, maintenance in between.

One thread makes one call at a time. Waits run on the monotonic clock, and gaps are found in event times; so a change of
the wall clock or a suspended computer neither duplicates nor loses prices.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from typing import Final

from core.errors import DamagedFile, NotReady, StorageProblem
from core.price_store import PriceWriter
from core.settings import Settings
from etl.coingecko.client import CoinGecko
from etl.collector.backfill import Backfill
from etl.collector.call_budget import SYSTEM_CLOCK, Clock
from etl.collector.context import CollectorContext
from etl.collector.polling import Polls
from etl.collector.retention import Retention

__all__ = ["Collector"]

_CHORES_EVERY_S: Final = 3600.0
_VERIFY_EVERY_S: Final = 60.0
_MAX_CHECK_SHARE: Final = 0.005
"""Largest share of the time that full checks of the database take; a small one is checked once a minute."""
_CHORE_PAUSE_S: Final = 0.05
_DISK_RETRY_S: Final = 5.0

_log = logging.getLogger(__name__)


class Collector:
    """Collects the prices that `api` returns into `writer`."""

    def __init__(
        self,
        settings: Settings,
        writer: PriceWriter,
        api: CoinGecko,
        clock: Clock = SYSTEM_CLOCK,
        jitter: random.Random | None = None,
    ) -> None:
        self._writer = writer
        self._retention_days = settings.retention_days
        self._retention = Retention(writer, self._retention_days)
        self._chores_at = self._disk_at = self._verify_at = clock.monotonic()
        jitter = jitter or random.Random()  # noqa: S311 - spreads retries, keeps no secret
        self.context = CollectorContext.resume(settings, writer, api, clock, jitter)
        self.polls = Polls(self.context)
        self.backfill = Backfill(self.context)
        self._damage: list[DamagedFile] = []
        self._check: threading.Thread | None = None
        self._whole_at = clock.monotonic() + (_VERIFY_EVERY_S if writer.is_checked else 0.0)
        self._start_check()

    def turn(self) -> float:
        """Make at most one call, none while another collector writes; return the seconds until the next turn.

        Raises:
            ConfigurationError: the source insists that key, plan or currency are wrong.
        """
        if self.context.buffer.database_reset:
            self._refill()
        now = self.context.calls.now()
        if self.context.buffer.standing_by:
            return self._chores(now)
        poll_in = max(self.polls.next_at - now, self.context.calls.budget.delay_s())
        if poll_in <= 0:
            self.polls.step()
            return 0.0
        fill_in = self.fill_delay_s()
        if fill_in <= 0:
            self.backfill.step()
            return 0.0
        return min(poll_in, fill_in, self._chores(now))

    def fill_delay_s(self) -> float:
        """Seconds until the next back-fill call; infinite while polls fail or prices cannot be stored."""
        if self.polls.failures or self.polls.polled_ms is None or self.context.buffer.storage_error is not None:
            return float("inf")
        return self.backfill.delay_s(self.polls.next_at - self.context.calls.now())

    def _chores(self, now: float) -> float:
        """Do a step of the maintenance that is due; return the seconds until the next one."""
        buffer = self.context.buffer
        if buffer.storage_error is not None or buffer.store_changed:
            if now >= self._disk_at:
                self._disk_at = now + _DISK_RETRY_S
                self._store_again()
            return _DISK_RETRY_S
        if now >= self._verify_at:
            self._verify_at = now + _VERIFY_EVERY_S
            buffer.attempt(self._verify)
            self._start_check()
        if now < self._chores_at:
            return min(self._chores_at, self._verify_at) - now
        newest_ms = self.context.intake.newest_ms
        if newest_ms is not None and buffer.attempt(lambda: self._thin(newest_ms)):
            return _CHORE_PAUSE_S
        self._chores_at = now + _CHORES_EVERY_S
        return _CHORES_EVERY_S

    def _store_again(self) -> None:
        """Store what waits; where somebody else has written, go on with what is there now, as after a restart."""
        buffer = self.context.buffer
        buffer.flush()
        if buffer.store_changed:
            buffer.begin_again(self._take_up)

    def _take_up(self) -> None:
        self.context.take_up(self._writer)
        self.polls.begin_again()
        self._retention = Retention(self._writer, self._retention_days)
        _log.info("somebody else has written to the price store: going on with what it holds")

    def _start_check(self) -> None:
        """Start a full check of the database in a thread when it is due."""
        if self.context.calls.now() >= self._whole_at and (self._check is None or not self._check.is_alive()):
            self._check = threading.Thread(target=self.check_whole, name="check", daemon=True)
            self._check.start()

    def check_whole(self) -> None:
        """Read every page of the database; the next `turn` replaces a damaged one. For any thread."""
        began = time.monotonic()
        try:
            self._writer.verify(whole=True)
        except DamagedFile as error:
            self._damage.append(error)
            self._verify_at = self.context.calls.now()
        except (NotReady, StorageProblem) as error:
            _log.warning("cannot check the price store: %s", error)
        took_s = time.monotonic() - began
        self._whole_at = self.context.calls.now() + max(_VERIFY_EVERY_S, took_s / _MAX_CHECK_SHARE)

    def _verify(self) -> None:
        found, self._damage = self._damage, []
        if found:
            raise found[0]
        self._writer.verify()

    def _thin(self, newest_ms: int) -> None:
        if not self._retention.step(newest_ms):
            self._chores_at = self.context.calls.now() + _CHORES_EVERY_S
            self._writer.maintain()

    def _refill(self) -> None:
        """Fill the new, empty database after the old one was damaged."""
        context = self.context
        context.buffer.database_reset = False
        context.buffer.track(context.universe.ids)
        context.buffer.set_meta(universe=context.universe.dump_state())
        context.queue(context.universe.ids)
        self.polls.want_hourly()
