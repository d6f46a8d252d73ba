"""The deliveries in alerts.db, for the threads that send."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, Self

from alerts.alert import alert_from_json
from alerts.store.rows import Delivery, DeliveryState
from alerts.store.schema import open_database, transaction, translated_errors
from core.times import DAY_MS

__all__ = ["Outbox", "delivery_of"]

_DUE: Final = (
    "SELECT d.id, d.channel, a.body, d.attempts, d.first_tried_ms FROM deliveries d JOIN alerts a ON a.key = d.alert "
    "WHERE d.state = 'due' AND d.channel = ? AND (d.attempts = 0 OR d.due_ms <= ? OR d.due_ms > ?) "
    "ORDER BY d.due_ms, d.id LIMIT ?"
)
_LONGEST_MS: Final = DAY_MS
"""No delivery waits longer for its next attempt; a later time was written by a clock that was ahead."""


class Outbox:
    """What is to be sent; one connection for one thread at a time, a context manager.

    Raises:
        ConfigurationError, DamagedFile, StorageProblem: as `open_database`; methods raise the last two.
    """

    def __init__(self, path: Path) -> None:
        self._connection = open_database(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def channels(self) -> list[str]:
        """Names of the channels on which something waits."""
        with translated_errors():
            rows = self._connection.execute("SELECT DISTINCT channel FROM deliveries WHERE state = 'due'")
            return [name for (name,) in rows.fetchall()]

    def due(self, until_ms: int, limit: int, channel: str) -> list[Delivery]:
        """Deliveries of a channel that are due by then, the longest waiting first; what was never tried is due."""
        with translated_errors():
            rows = self._connection.execute(_DUE, (channel, until_ms, until_ms + _LONGEST_MS, limit)).fetchall()
        return [delivery_of(row) for row in rows]

    def delivered(self, delivery_id: int, now: int) -> None:
        """The receiver has taken a delivery."""
        self._end(delivery_id, DeliveryState.DELIVERED, None, now)

    def failed(self, delivery_id: int, reason: str, retry_at_ms: int, now: int) -> None:
        """A delivery failed and is due again later."""
        with transaction(self._connection):
            self._connection.execute(
                "UPDATE deliveries SET due_ms = ?, reason = ?, attempts = attempts + 1, "
                "first_tried_ms = coalesce(first_tried_ms, ?) WHERE id = ? AND state = 'due'",
                (retry_at_ms, reason, now, delivery_id),
            )

    def dead(self, delivery_id: int, reason: str, now: int) -> None:
        """A delivery is given up."""
        self._end(delivery_id, DeliveryState.DEAD, reason, now)

    def give_up(self, channel: str, reason: str, first_tried_ms: int, now: int) -> None:
        """After a failure: give up what a channel was first tried for until then; the day of the rest has begun."""
        with transaction(self._connection):
            self._connection.execute(
                "UPDATE deliveries SET state = 'dead', reason = coalesce(reason, ?), done_ms = ? "
                "WHERE channel = ? AND state = 'due' AND first_tried_ms <= ?",
                (reason, now, channel, first_tried_ms),
            )
            self._connection.execute(
                "UPDATE deliveries SET first_tried_ms = ? "
                "WHERE channel = ? AND state = 'due' AND first_tried_ms IS NULL",
                (now, channel),
            )

    def _end(self, delivery_id: int, state: DeliveryState, reason: str | None, now: int) -> None:
        with transaction(self._connection):
            self._connection.execute(
                "UPDATE deliveries SET state = ?, reason = ?, done_ms = ?, attempts = attempts + 1, "
                "first_tried_ms = coalesce(first_tried_ms, ?) WHERE id = ? AND state = 'due'",
                (state.value, reason, now, now, delivery_id),
            )


def delivery_of(row: Any) -> Delivery:
    """The delivery of a row: id, channel, alert as JSON, attempts, time of the first attempt."""
    number, channel, body, attempts, first_tried_ms = row
    return Delivery(number, channel, alert_from_json(body), attempts, first_tried_ms)
