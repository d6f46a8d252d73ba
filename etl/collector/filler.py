"""The back-fill at work: 24 hours of one coin a call, in the calls that the polls leave over."""

from __future__ import annotations

import logging
import math
from typing import Final

from core.errors import ConfigurationError, RequestRefused, SourceError
from etl.collector.context import Desk

__all__ = ["Filler"]

_LONGEST_WAIT_S: Final = 300.0

_log = logging.getLogger(__name__)


class Filler:
    """Fetches the charts of the queued coins; its failures slow it down alone, unless the source throttles all."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._next_at = desk.caller.now()

    def delay_s(self, poll_in_s: float) -> float:
        """Seconds until the next call may be made, the next poll being due in `poll_in_s`; infinite while nothing
        waits."""
        desk = self._desk
        if desk.backfill.next is None:
            return math.inf
        budget_s = desk.caller.budget.background_delay_s(poll_in_s, desk.cadence_s, desk.pages)
        return max(0.0, self._next_at - desk.caller.now(), budget_s)

    def step(self) -> None:
        """Make one call.

        Raises:
            ConfigurationError: the source insists that key, plan or currency are wrong.
        """
        desk, coin_id = self._desk, self._desk.backfill.next
        if coin_id is None:
            return
        try:
            chart = desk.caller.call(lambda: desk.api.market_chart(coin_id))
            rows = desk.intake.take_chart(coin_id, chart, desk.cadence_s)
        except (SourceError, ConfigurationError) as error:
            self._failed(coin_id, error)
            return
        _log.debug("back-fill of %s: %d prices", coin_id, rows)
        if desk.outbox.flush():
            desk.backfill.fetched(coin_id)
            desk.remember_queue()
            if desk.backfill.next is None:
                _log.info("back-fill complete: %d coins", desk.backfill.total)

    def _failed(self, coin_id: str, error: SourceError | ConfigurationError) -> None:
        desk = self._desk
        if desk.backfill.failed(coin_id, refused=isinstance(error, RequestRefused)):
            _log.warning("no back-fill for %s: %s", coin_id, error)
            desk.remember_queue()
        else:
            _log.info("back-fill of %s failed: %s: %s", coin_id, type(error).__name__, error)
        wait_s = desk.caller.wait_after(error, desk.backfill.failures, _LONGEST_WAIT_S)
        self._next_at = desk.caller.now() + wait_s
