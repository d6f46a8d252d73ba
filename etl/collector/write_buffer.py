"""Keeps in memory what is to be stored while the disk refuses; the collector writes through it alone."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Final

from core.errors import DamagedFile, ForecastingError, NotReady, StandingBy, StorageProblem, StoreChanged
from core.price_store import Coin, Price, PriceWriter
from core.times import MINUTE_MS
from core.wording import Message

__all__ = ["WriteBuffer"]

_MAX_PRICES: Final = 200_000
_RANKS_EVERY_MS: Final = 10 * MINUTE_MS
"""Thousands of coins change their ranks with each poll; nobody needs to see each change."""

_log = logging.getLogger(__name__)


class WriteBuffer:
    """Gathers prices, coins and state, and stores them as soon as the disk takes them (`stored`: how many prices).

    `storage_error` says why the store refuses now, or is None; `standing_by` is True while another collector writes.
    `database_reset` becomes True when a damaged database was replaced by an empty one, so that everything must be
    fetched again. `store_changed` becomes True when somebody else has written to the store: nothing is stored until the
    collector has read what is there and calls `begin_again`. No method raises for what a disk or a server does.
    """

    def __init__(self, writer: PriceWriter) -> None:
        self._writer = writer
        self._prices: list[Price] = []
        self._coins: dict[str, Coin] = {}
        self._known: dict[str, Coin] = {}
        self._is_name_new = False
        self._ranked_ms = 0
        self._hourly: dict[str, list[tuple[int, float]]] = {}
        self._meta: dict[str, str] = {}
        self._tracked: tuple[str, ...] | None = None
        self._clock_ms = self._latest_clock_ms = 0
        self.stored = 0
        self.storage_error: Message | str | None = None
        self.standing_by = False
        self.database_reset = False
        self.store_changed = False
        self._broken = False

    @property
    def set_aside(self) -> str | None:
        """Name of the damaged database that was set aside since the start, or None."""
        path = self._writer.set_aside_as
        return None if path is None else path.name

    @property
    def waiting(self) -> int:
        """Number of prices that are not stored yet."""
        return len(self._prices)

    def add_prices(self, prices: Iterable[Price], clock_ms: int) -> None:
        """Add prices; `clock_ms` is the time of the source's clock."""
        self._prices.extend(prices)
        self._clock_ms, self._latest_clock_ms = clock_ms, max(self._latest_clock_ms, clock_ms)
        if len(self._prices) > _MAX_PRICES:
            lost = len(self._prices) - _MAX_PRICES
            del self._prices[:lost]
            _log.error("dropping the %d oldest of more than %d unsaved prices", lost, _MAX_PRICES)

    def recent(self, coin_id: str, since_ms: int) -> list[tuple[int, float]]:
        """Event times and values of a coin's stored prices from `since_ms` on; empty while the disk refuses."""
        found: list[tuple[int, float]] = []
        self.attempt(lambda: found.extend(self._writer.recent(coin_id, since_ms)))
        return found

    def add_coin(self, coin: Coin) -> None:
        """Add a coin that is new or has changed; if its rank alone has, it is stored within ten minutes."""
        known = self._known.get(coin.id)
        if known is not None and known[:4] == coin[:4]:
            self._coins.pop(coin.id, None)
            return
        self._coins[coin.id] = coin
        if known is None or known[:3] != coin[:3]:
            self._is_name_new = True

    def set_hourly(self, coin_id: str, prices: list[tuple[int, float]]) -> None:
        """Replace the hourly prices of a coin."""
        self._hourly[coin_id] = prices

    def set_meta(self, **values: str) -> None:
        """Set values in the table `meta`, for the next start."""
        self._meta.update(values)

    def track(self, coin_ids: tuple[str, ...]) -> None:
        """Set the coins that are collected from now on."""
        self._tracked = coin_ids

    def flush(self) -> bool:
        """Store everything; False while the disk refuses, or somebody else has changed the store."""
        return not self.store_changed and self.attempt(self._write)

    def begin_again(self, read: Callable[[], object]) -> None:
        """Drop state for the next start, which is of another time than the store, `read` what is there, store again."""
        self._meta.clear()
        self._tracked = None
        self.store_changed = not self.attempt(read)
        self.flush()

    def attempt(self, action: Callable[[], object]) -> bool:
        """Do `action` on the store; False, with `storage_error` set, if the disk refuses or the database is damaged."""
        if self._broken:
            self._renew()
            return False
        try:
            action()
        except (StorageProblem, NotReady) as error:
            self._report(error)
            if isinstance(error, StoreChanged):
                self.store_changed = True
                self._store_coins_again()
            return False
        except DamagedFile as error:
            self._report(error)
            self._renew()
            return False
        if self.storage_error is not None:
            _log.info("storing prices again")
        self.storage_error, self.standing_by = None, False
        return True

    def _write(self) -> None:
        if self._is_name_new or (self._coins and abs(self._clock_ms - self._ranked_ms) >= _RANKS_EVERY_MS):
            self._writer.update_coins(self._coins.values())
            self._known.update(self._coins)
            self._coins.clear()
            self._is_name_new, self._ranked_ms = False, self._clock_ms
        if self._tracked is not None:
            self._writer.track(self._tracked)
            self._tracked = None
        if self._prices:
            self.stored += self._writer.store(self._prices, clock_ms=self._latest_clock_ms)
            self._prices.clear()
            self._latest_clock_ms = 0
        while self._hourly:
            coin_id = next(iter(self._hourly))
            self._writer.store_hourly(coin_id, self._hourly[coin_id])
            del self._hourly[coin_id]
        if self._meta:
            self._writer.set_meta(self._meta)
            self._meta.clear()

    def _renew(self) -> None:
        """Replace the damaged database by an empty one; if the disk refuses, the next attempt tries again."""
        self._broken = True
        try:
            self._writer.renew()
        except (StorageProblem, DamagedFile) as error:
            self._report(error)
            return
        self._broken, self.storage_error, self.database_reset = False, None, True
        self._store_coins_again()

    def _store_coins_again(self) -> None:
        self._coins, self._known = {**self._known, **self._coins}, {}
        self._is_name_new = bool(self._coins)

    def _report(self, error: ForecastingError) -> None:
        if self.storage_error is None:
            _log.error("cannot store: %s; keeping prices in memory", error)
        self.storage_error, self.standing_by = error.message, isinstance(error, StandingBy)
