"""The parts that polls and back-fill share."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from core.price_rules import STALE_CADENCES
from core.price_store import Price, PriceWriter
from core.settings import Settings
from etl.coingecko.client import CoinGecko
from etl.collector.backfill_queue import BackfillQueue
from etl.collector.call_budget import Clock
from etl.collector.coin_universe import Universe
from etl.collector.intake import Intake
from etl.collector.throttled_calls import ThrottledCalls
from etl.collector.write_buffer import WriteBuffer

__all__ = ["CollectorContext"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CollectorContext:
    """What to ask for (`universe`, `backfill_queue`), how (`api`, `calls`), where answers go (`intake`, `buffer`)."""

    api: CoinGecko
    calls: ThrottledCalls
    universe: Universe
    backfill_queue: BackfillQueue
    intake: Intake
    buffer: WriteBuffer

    @classmethod
    def resume(
        cls, settings: Settings, writer: PriceWriter, api: CoinGecko, clock: Clock, jitter: random.Random
    ) -> Self:
        """Continue the last run: its call budget, ids, back-fill queue and unconfirmed jumps.

        Coins without prices are queued for back-fill; all coins if the last run ended more than three cadences ago.

        Raises:
            StorageProblem, DamagedFile: the store cannot be read.
        """
        buffer = WriteBuffer(writer)
        context = cls(
            api,
            ThrottledCalls(settings, buffer, clock, jitter),
            Universe(settings),
            BackfillQueue(),
            Intake(buffer),
            buffer,
        )
        context.take_up(writer)
        return context

    def take_up(self, writer: PriceWriter) -> None:
        """Go on with what the store holds; calls made and coins looked up here since count too.

        Raises:
            StorageProblem, DamagedFile: the store cannot be read.
        """
        _load(writer, "budget", self.calls.load_state)
        _load(writer, "universe", self.universe.load_state)
        if self.universe.ids:
            writer.track(self.universe.ids)
            self.buffer.set_meta(universe=self.universe.dump_state())
        stored = writer.latest()
        if stored:
            self.calls.trust_key()
        latest = {coin: price for coin, price in stored.items() if coin in self.universe.ids}
        self.intake.resume(latest)
        _load(writer, "held", self.intake.load_state)
        self.backfill_queue.keep(())
        _load(writer, "backfill", self.backfill_queue.load_state)
        self.backfill_queue.keep(self.universe.ids)
        was_away = _seconds_away(latest, self.calls.clock.wall_ms()) > STALE_CADENCES * self.cadence_s
        self.queue(tuple(coin for coin in self.universe.ids if was_away or coin not in latest))

    @property
    def cadence_s(self) -> float:
        """Current seconds between polls."""
        pages = len(self.universe.batches())
        return self.calls.cadence_s(pages, background=self.backfill_queue.next is not None)

    @property
    def pages(self) -> int:
        """Number of calls per poll."""
        return max(1, len(self.universe.batches()))

    def queue(self, coin_ids: tuple[str, ...]) -> None:
        """Queue the last 24 hours of these coins, and store the queue at once."""
        self.backfill_queue.add(coin_ids)
        self.store_queue()

    def store_queue(self) -> None:
        """Store which coins wait for their back-fill."""
        self.buffer.set_meta(backfill=self.backfill_queue.dump_state())
        self.buffer.flush()


def _load(writer: PriceWriter, key: str, take: Callable[[str], None]) -> None:
    """Pass the state stored under `key` to `take`; log and skip what it cannot read."""
    text = writer.meta(key)
    if not text:
        return
    try:
        take(text)
    except (ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError) as error:
        _log.warning("the stored state of %s cannot be read (%.100r): starting without it", key, error)


def _seconds_away(latest: dict[str, Price], wall_ms: int) -> float:
    """Seconds since the last fetched price; the absolute value, in case the wall clock was set back."""
    return abs(wall_ms - max((price.fetched_ms for price in latest.values()), default=0)) / 1000
