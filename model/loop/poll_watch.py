"""Notices that the collector has completed a poll."""

from __future__ import annotations

from core.errors import ForecastingError
from core.price_store import open_pool
from core.price_store.rows import POLLED
from core.store_address import StoreAddress

__all__ = ["PollWatch"]


class PollWatch:
    """Names the newest complete poll in a price store; reads the store only after a commit."""

    def __init__(self, store: StoreAddress) -> None:
        self._pool = open_pool(store)
        self._version: tuple[int, int] | None = None
        self._poll: str | None = None

    def newest(self) -> str | None:
        """A name that changes with each complete poll; None before the first. Costs microseconds.

        A store that cannot be read shows no poll: the cycle that reads it next reports why.
        """
        try:
            version = self._pool.version()
            if version != self._version:
                with self._pool.borrow() as prices:
                    self._poll = prices.meta().get(POLLED)
                self._version = version
        except ForecastingError:
            self._version = None
        return self._poll

    def close(self) -> None:
        """Close the connections; safe to call twice."""
        self._pool.close()
