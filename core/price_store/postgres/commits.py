"""The number of the last commit: readers look at it for news, and the writer for whether anybody else has written."""

from __future__ import annotations

from core.errors import StorageProblem, StoreChanged
from core.price_store.postgres.connection import Connection
from core.times import now_ms
from core.wording import message

__all__ = ["Commits"]


class Commits:
    """Counts the commits of one writer."""

    def __init__(self) -> None:
        self._last: int | None = None

    def count(self, connection: Connection) -> int:
        """Count the commit of the open transaction; return its number.

        Raises:
            StoreChanged: the commit before is not this writer's last one; the next transaction accepts that.
            StorageProblem: a dump is being loaded.
        """
        row = connection.execute(
            "UPDATE state SET commits = commits + 1, changed_ms = %s RETURNING commits", (now_ms(),)
        ).fetchone()
        if row is None:
            raise StorageProblem(message("prices.none_stored"))
        number = int(row[0])
        if self._last not in (None, number - 1):
            self._last = None
            raise StoreChanged(message("prices.changed"))
        return number

    def made(self, number: int) -> None:
        """Note that the transaction of this number is committed."""
        self._last = number
