"""Polls every coin once per cadence, up to 250 coins per call, and queues gaps for repair."""

from __future__ import annotations

import logging
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Final

from core.errors import (
    BadReply,
    Banned,
    ConfigurationError,
    RateLimited,
    RequestRefused,
    RequestTooLong,
    SourceError,
    SourceUnavailable,
)
from core.price_rules import STALE_CADENCES
from core.price_store.rows import POLLED
from core.processes.health_schema import RECENT, PollOutcome
from etl.coingecko.client import MarketsPage
from etl.collector.context import CollectorContext

__all__ = ["Polls"]

_GAP_S: Final = 300.0
_COIN_GAP_MS: Final = 1_800_000
_LONG_GAP_S: Final = 3600.0
_MIN_CAP_S: Final = 30.0
_SPARKLINE_TRIES: Final = 2

_OUTCOMES: Final = (
    (Banned, PollOutcome.BANNED),
    (RateLimited, PollOutcome.RATE_LIMITED),
    (SourceUnavailable, PollOutcome.UNAVAILABLE),
    (BadReply, PollOutcome.BAD_REPLY),
    (SourceError, PollOutcome.REFUSED),
    (ConfigurationError, PollOutcome.REFUSED),
)
"""The first class that fits names the outcome of a failed call."""

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Round:
    """The batches that a poll has still to ask for, the next one first.

    `answered` tells whether the poll brought prices; `failed` are the batches that it has asked for in vain.
    """

    batches: list[tuple[str, ...]] = field(default_factory=list)
    answered: bool = False
    failed: set[tuple[str, ...]] = field(default_factory=set)

    def put_off(self) -> None:
        """Move the next batch behind the others; after a second failure leave it to the next poll, if others came."""
        batch = self.batches.pop(0)
        if batch not in self.failed or not self.answered:
            self.failed.add(batch)
            self.batches.append(batch)


class Polls:
    """Makes the calls of the polls; a call that failed is made again, one for certain coins after those for the others.

    Attributes:
        next_at: when the next call is due, in monotonic seconds.
        failures: failed calls in a row.
        error: the last of them, or None.
        polled_ms: end of the last complete poll in UTC milliseconds, or None.
        outcomes: how many calls ended in which way.
        calls_minute: calls of the last minute at the end of each of the last polls, oldest first.
    """

    def __init__(self, context: CollectorContext) -> None:
        self._context = context
        self._pages: list[MarketsPage] = []
        self._round = _Round()
        self._hourly_wanted = set(context.universe.ids) if context.backfill_queue.next else set()
        self._sparkline_refusals = 0
        self._due_at = self.next_at = context.calls.now()
        self._answered_at: float | None = None
        self.failures = 0
        self.error: SourceError | ConfigurationError | None = None
        self.polled_ms: int | None = None
        self.outcomes: Counter[PollOutcome] = Counter()
        self.calls_minute: deque[int] = deque(maxlen=RECENT)

    def step(self) -> bool:
        """Make the call that is due; True if it succeeded or the poll is complete without it.

        Raises:
            ConfigurationError: the source insists that key, plan or currency are wrong.
        """
        try:
            if self._context.universe.is_due(self._context.calls.clock.wall_ms()):
                self._look_up()
            else:
                self._ask_batch()
        except (SourceError, ConfigurationError) as error:
            self._failed(error)
            return False
        self.failures, self.error = 0, None
        return True

    def want_hourly(self) -> None:
        """Request 7 days of hourly prices with the next poll."""
        self._hourly_wanted = set(self._context.universe.ids)

    def begin_again(self) -> None:
        """Begin a new poll, as after a restart: what the last ones brought is of another time than the store."""
        self._round, self._answered_at = _Round(), None
        if self._context.backfill_queue.next is not None:
            self.want_hourly()

    def _look_up(self) -> None:
        """Fetch the next page of the N largest coins, and take their prices too."""
        context, universe = self._context, self._context.universe
        wall_ms, known = context.calls.clock.wall_ms(), universe.ids
        try:
            page = context.calls.call(lambda: context.api.largest(universe.next_page))
            self._pages.append(page)
            ids = [row.coin.id for row in page.rows]
            complete = universe.add_page(ids, is_last=not page.whole, wall_ms=wall_ms)
        except SourceError:
            universe.postpone(wall_ms)
            self._pages = []
            raise
        self.outcomes[PollOutcome.ANSWERED] += 1
        if not complete:
            return
        new = tuple(coin_id for coin_id in universe.ids if coin_id not in known)
        _log.info("looked up the %d largest coins: %d new", len(universe.ids), len(new))
        self._hourly_wanted |= set(new)
        self._round = _Round()
        context.buffer.set_meta(universe=universe.dump_state())
        context.buffer.track(universe.ids)
        context.backfill_queue.keep(universe.ids)
        context.intake.keep(universe.ids)
        context.queue(tuple(coin_id for coin_id in new if coin_id not in context.intake.newest))
        for page in self._pages:
            wanted = {row.coin.id for row in page.rows}.intersection(universe.ids)
            self._take(page, tuple(wanted))
        self._pages = []

    def _ask_batch(self) -> None:
        """Ask for the next batch; the last of a poll that failed twice is no error of the others."""
        if not self._round.batches:
            self._round = _Round(self._context.universe.batches())
        try:
            self._fetch(self._round.batches[0])
            self._round.batches.pop(0)
        except (BadReply, RequestRefused) as error:
            self._round.put_off()
            if self._round.batches:
                raise
            self._count(error)
        if not self._round.batches:
            self._complete()

    def _fetch(self, batch: tuple[str, ...]) -> None:
        """Fetch and take a batch.

        Raises:
            BadReply: no coin of it came, unless all were missing before and another batch of the poll brought prices.
        """
        context = self._context
        sparkline = self._sparkline_refusals < _SPARKLINE_TRIES and not self._hourly_wanted.isdisjoint(batch)
        try:
            page = context.calls.call(lambda: context.api.markets(batch, sparkline=sparkline))
        except RequestRefused:
            self._sparkline_refusals += sparkline
            raise
        known_missing = context.intake.missing.issuperset(batch)
        self._take(page, batch)
        if any(row.coin.id in batch for row in page.rows):
            self._round.answered = True
        elif not (known_missing and self._round.answered):
            raise BadReply(f"none of the {len(batch)} requested coins")
        self.outcomes[PollOutcome.ANSWERED] += 1
        self._hourly_wanted -= set(batch)

    def _take(self, page: MarketsPage, batch: tuple[str, ...]) -> None:
        """Take a page; a gap between it and the prices before it is queued for repair first."""
        context = self._context
        cadence_s, now = context.cadence_s, context.calls.now()
        times = {row.coin.id: row.price.ts_ms for row in page.rows if row.price is not None}
        known = context.intake.newest
        advance_s = (max(times.values(), default=0) - max(known.values(), default=0)) / 1000 if known else 0.0
        outage_s = 0.0 if self._answered_at is None or not times else now - self._answered_at
        if times:
            self._answered_at = now
        if outage_s > STALE_CADENCES * cadence_s or advance_s > max(STALE_CADENCES * cadence_s, _GAP_S):
            _log.info("gap of %.0f s: repairing it by back-fill", max(outage_s, advance_s))
            context.queue(context.universe.ids)
            if advance_s > _LONG_GAP_S:
                self.want_hourly()
        late = [coin for coin in batch if times.get(coin, 0) - known.get(coin, times.get(coin, 0)) > _COIN_GAP_MS]
        if late:
            context.queue(tuple(late))
        context.intake.take_page(page, batch, cadence_s)
        context.buffer.flush()

    def _complete(self) -> None:
        """Mark the poll as complete in the store; the next is one cadence after this one was due, or after now."""
        calls, cadence_s = self._context.calls, self._context.cadence_s
        calls.slowdown.went_well()
        self.polled_ms = calls.clock.wall_ms()
        self.calls_minute.append(calls.budget.calls_minute)
        self._context.buffer.set_meta(**{POLLED: str(self.polled_ms)})
        self._context.buffer.flush()
        now = calls.now()
        self._due_at += cadence_s
        if self._due_at <= now:
            self._due_at = now + cadence_s
        self.next_at = self._due_at

    def _count(self, error: SourceError | ConfigurationError) -> None:
        self.outcomes[next(outcome for kind, outcome in _OUTCOMES if isinstance(error, kind))] += 1

    def _failed(self, error: SourceError | ConfigurationError) -> None:
        context = self._context
        self.failures += 1
        self._count(error)
        level = logging.WARNING if type(error) is not type(self.error) else logging.DEBUG
        _log.log(level, "poll failed: %s: %s", type(error).__name__, error)
        self.error = error
        if isinstance(error, RequestTooLong):
            context.universe.shorten()
            self._round = _Round()
        wait_s = context.calls.wait_after(error, self.failures, max(context.cadence_s, _MIN_CAP_S))
        self._due_at = self.next_at = context.calls.now() + wait_s
