"""The back-fill: 24 hours of one coin per call, with the calls that the polls leave over."""

from __future__ import annotations

import logging
import math
from typing import Final

from core.errors import ConfigurationError, RequestRefused, SourceError
from etl.collector.context import CollectorContext

__all__ = ["Backfill"]

_MAX_WAIT_S: Final = 300.0

_log = logging.getLogger(__name__)


class Backfill:
    """Fetches the charts of the queued coins; its failures delay polls only if the source throttles all calls."""

    def __init__(self, context: CollectorContext) -> None:
        self._context = context
        self._next_at = context.calls.now()

    def delay_s(self, poll_in_s: float) -> float:
        """Seconds until the next call, if the next poll is due in `poll_in_s`; infinite while no coin waits."""
        context = self._context
        if context.backfill_queue.next is None:
            return math.inf
        budget_s = context.calls.background_delay_s(poll_in_s, context.pages)
        return max(0.0, self._next_at - context.calls.now(), budget_s)

    def step(self) -> None:
        """Make one call.

        Raises:
            ConfigurationError: the source insists that key, plan or currency are wrong.
        """
        context, coin_id = self._context, self._context.backfill_queue.next
        if coin_id is None:
            return
        try:
            chart = context.calls.call(lambda: context.api.market_chart(coin_id))
            rows = context.intake.take_chart(coin_id, chart, context.cadence_s)
        except (SourceError, ConfigurationError) as error:
            self._failed(coin_id, error)
            return
        _log.debug("back-fill of %s: %d prices", coin_id, rows)
        if context.buffer.flush():
            context.backfill_queue.fetched(coin_id)
            context.store_queue()
            if context.backfill_queue.next is None:
                _log.info("back-fill complete: %d coins", context.backfill_queue.total)

    def _failed(self, coin_id: str, error: SourceError | ConfigurationError) -> None:
        context = self._context
        if context.backfill_queue.failed(coin_id, refused=isinstance(error, RequestRefused)):
            _log.warning("no back-fill for %s: %s", coin_id, error)
            context.store_queue()
        else:
            _log.info("back-fill of %s failed: %s: %s", coin_id, type(error).__name__, error)
        wait_s = context.calls.wait_after(error, context.backfill_queue.failures, _MAX_WAIT_S)
        self._next_at = context.calls.now() + wait_s
