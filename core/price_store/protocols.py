"""What writer, reader and pool of a price store promise, wherever the prices are kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol, Self

from core.price_store.rows import Coin, Price, StoreInfo

__all__ = ["PricePool", "PriceReader", "PriceWriter"]


class PriceReader(Protocol):
    """A read-only connection, for one thread at a time; times are UTC milliseconds.

    Methods raise NotReady while the store cannot be read, and DamagedFile if it is damaged.
    """

    def __enter__(self) -> Self:
        """The reader itself."""

    def __exit__(self, *_: object) -> None:
        """Close the connection."""

    def close(self) -> None:
        """Close the connection; safe to call twice."""

    def is_current(self) -> bool:
        """Whether the connection still leads to the store in use."""

    @property
    def identity(self) -> object:
        """What tells this store from one that took its place."""

    def revision(self, coin_id: str) -> int:
        """The revision of one coin, 0 if it is not known."""

    def data_version(self) -> int:
        """A number that changes when another process has committed."""

    def coins(self) -> list[Coin]:
        """The coins collected now, by rank."""

    def known_coins(self) -> list[Coin]:
        """All coins that were ever collected, by id."""

    def latest(self) -> dict[str, Price]:
        """The newest price of each tracked coin."""

    def as_of(self, coin_id: str, ts_ms: int) -> tuple[int, float] | None:
        """Event time and price of the last price at or before `ts_ms`, or None."""

    def as_of_each(self, moments: Sequence[tuple[str, int]]) -> list[tuple[int, float] | None]:
        """The same for each coin and moment, in one round trip to the store."""

    def nearest(self, moments: Sequence[tuple[str, int]], tolerance_ms: int) -> list[tuple[int, float] | None]:
        """For each coin and moment the price nearest to it, or None if none is within the tolerance of it."""

    def range(self, coin_id: str, start_ms: int = 0, end_ms: int | None = None) -> list[tuple[int, float]]:
        """Event times and prices of one coin within [start_ms, end_ms], in order."""

    def since(self, start_ms: Mapping[str, int], end_ms: int | None = None) -> dict[str, list[tuple[int, float]]]:
        """Event times and prices of many coins, each from its own start to one end, in order; of those with any."""

    def thinned(self, coin_id: str, start_ms: int, end_ms: int) -> list[tuple[int, float]]:
        """The last price of each 5-minute interval that ends on the grid, within [start_ms, end_ms), in order."""

    def newest(self, coin_id: str, start_ms: int, end_ms: int, limit: int) -> list[Price]:
        """At most `limit` prices of one coin within [start_ms, end_ms], newest first."""

    def batches(
        self, coin_id: str, start_ms: int, end_ms: int, limit: int, *, ascending: bool = False, bare: bool = False
    ) -> Iterator[list[tuple[Any, ...]]]:
        """The same as rows (event time, price, market cap, volume, fetch time), some thousand at a time.

        Ascending, they are the oldest ones, oldest first; bare, they have event time and price alone. Between two
        batches other threads run; take all of them at once, for a writer may wait for open queries.
        """

    def count(self, coin_id: str, start_ms: int, end_ms: int) -> int:
        """Number of prices of one coin within [start_ms, end_ms]."""

    def first_ms(self, coin_id: str) -> int | None:
        """Event time of the oldest price of one coin, or None without prices."""

    def hourly(self, coin_id: str) -> list[tuple[int, float]]:
        """The hourly prices fetched at the first start, in order."""

    def meta(self) -> dict[str, str]:
        """All values of the table `meta`."""


class PriceWriter(Protocol):
    """The one writing connection of a store.

    Methods raise StorageProblem while the disk or the server refuses, StandingBy if another collector has taken over,
    and DamagedFile if the store is damaged: then `renew` replaces it. `is_checked` is False if the store was too large
    to be checked when it was opened; `set_aside_as` is where a damaged one was moved.
    """

    set_aside_as: Path | None
    is_checked: bool

    def __enter__(self) -> Self:
        """The writer itself."""

    def __exit__(self, *_: object) -> None:
        """Close the connection."""

    def close(self) -> None:
        """Close the connection and release the lock; safe to call twice."""

    def renew(self) -> None:
        """Replace a damaged store by an empty one."""

    def verify(self, *, whole: bool = False) -> None:
        """Check the store, on request as a whole; may be called from any thread."""

    def store(self, prices: Iterable[Price], *, clock_ms: int | None = None) -> int:
        """Store valid prices, one per coin and event time; the first one stays.

        Prices that are not finite and positive, or more than two minutes ahead of the clock, are skipped.

        Args:
            prices: in any order.
            clock_ms: the source's clock, if known; this machine's may be an hour off.

        Returns:
            The number of new prices.
        """

    def store_hourly(self, coin_id: str, prices: Iterable[tuple[int, float]]) -> None:
        """Replace the hourly prices (event time in ms, price) of one coin."""

    def update_coins(self, coins: Iterable[Coin]) -> None:
        """Insert or update coins; their revisions stay."""

    def track(self, coin_ids: Iterable[str]) -> None:
        """Mark which coins are collected now; the others keep their prices but are hidden."""

    def meta(self, key: str) -> str | None:
        """The value of `key` in the table `meta`, or None."""

    def set_meta(self, values: Mapping[str, str]) -> None:
        """Set values in the table `meta`, which survive restarts."""

    def latest(self) -> dict[str, Price]:
        """The newest price of each tracked coin."""

    def recent(self, coin_id: str, since_ms: int) -> list[tuple[int, float]]:
        """Event times and prices of one coin from `since_ms` on, in order."""

    def oldest_ms(self, coin_id: str) -> int | None:
        """Event time of the oldest price of one coin, or None."""

    def coin_ids(self) -> list[str]:
        """All known coins, whether they are collected now or not."""

    def thin(self, coin_id: str, start_ms: int, end_ms: int, bar_ms: int) -> int:
        """Delete all but the last price of each bar of one coin within [start_ms, end_ms); return how many.

        Bars of `bar_ms` end on the grid, so the price as of a grid point does not change.
        """

    def maintain(self) -> None:
        """Do the store's own chores, once an hour."""


class PricePool(Protocol):
    """Lends read-only connections to one store and tells when it has changed; thread-safe."""

    def borrow(self) -> AbstractContextManager[PriceReader]:
        """Lend a connection, for one thread at a time.

        Raises:
            NotReady: the store does not exist yet; OutOfReach: its server does not answer.
            DamagedFile: it cannot be read.
        """

    def version(self) -> tuple[int, int]:
        """A value that changes with every commit to the store; valid in this process only, and cheap.

        Raises:
            NotReady, DamagedFile: as `borrow`.
        """

    def info(self) -> StoreInfo:
        """Name, size and age of the store; without a size if it cannot be read."""

    def close(self) -> None:
        """Close idle connections; the pool can be used again."""
