"""Coins and prices, as API and dashboard show them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pyarrow as pa

from core.errors import DamagedFile, NotReady
from core.price_store import Coin, Price, PriceReader
from core.price_store.rows import PRICE_COUNT
from core.reading.candles import candle_page
from core.reading.coins import hourly_before, quotes, unknown_coin
from core.reading.published import PublishedData
from core.reading.recent_prices import RecentPrices
from core.reading.tables import Page, bare_price_table, price_table
from core.reading.values import Quote
from core.settings import Settings
from core.times import FOREVER_MS
from core.wording import message

__all__ = ["StoredPrices"]


class StoredPrices(PublishedData):
    """What the collector stored, read again only when it has changed."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._recent = RecentPrices()

    def quotes(self) -> list[Quote]:
        """All coins by rank with their newest price and change over 24 hours.

        Raises:
            NotReady: no prices are stored yet.
        """

        def read() -> list[Quote]:
            latest = self.latest_prices()
            with self.prices() as prices:
                return quotes(prices, latest)

        return self.cached("quotes", self.price_version(), read)

    def coins(self) -> list[Coin]:
        """The coins collected now, by rank; empty before the first poll.

        Raises:
            NotReady: no prices are stored yet.
        """

        def read() -> list[Coin]:
            with self.prices() as prices:
                return prices.coins()

        return self.cached("coins", self.price_version(), read)

    def latest_prices(self) -> Mapping[str, Price]:
        """The newest price of each collected coin that has one."""

        def read() -> dict[str, Price]:
            with self.prices() as prices:
                return prices.latest()

        return self.cached("latest prices", self.price_version(), read)

    def newest_ms(self, coin_id: str) -> int:
        """Event time of a coin's newest stored price; 0 without any."""
        with self.prices() as prices:
            newest = prices.as_of(coin_id, FOREVER_MS)
        return 0 if newest is None else newest[0]

    def first_ms(self, coin_id: str) -> int:
        """Event time of a coin's oldest stored price; 0 without any."""
        with self.prices() as prices:
            return prices.first_ms(coin_id) or 0

    def resolve(self, name: str) -> Coin:
        """Find a coin by id or symbol, in upper or lower case.

        Of two coins with one symbol, the one with the larger market cap is meant.

        Raises:
            UnknownCoin: there is no such coin; the message lists the nearest names.
            NotReady: no coin is known yet.
        """
        coins = self.coins()
        if not coins:
            raise NotReady(message("prices.no_coins"))
        wanted = name.strip().lower()
        for coin in (*(c for c in coins if c.id == wanted), *(c for c in coins if c.symbol == wanted)):
            return coin
        raise unknown_coin(wanted, coins)

    def history(self, coin_id: str, start_ms: int, end_ms: int, limit: int) -> list[Price]:
        """At most `limit` stored prices within [start_ms, end_ms], newest first."""
        with self.prices() as prices:
            return prices.newest(coin_id, start_ms, end_ms, limit)

    def price_table(self, coin_id: str, page: Page, *, bare: bool = False) -> pa.Table:
        """A page of stored prices as columns of PRICE_TABLE, or bare: its first two, from memory if they are recent."""
        span = (page.start_ms, page.end_ms, page.limit)
        with self.prices() as prices:
            if bare and (recent := self._recent_page(prices, coin_id, page)) is not None:
                return recent
            return price_table(prices.batches(coin_id, *span, ascending=page.ascending, bare=bare), bare=bare)

    def _recent_page(self, prices: PriceReader, coin_id: str, page: Page) -> pa.Table | None:
        """A page of event times and prices from memory; None if older prices may belong to it."""
        span, is_cut = self._recent.within(prices, coin_id, page.start_ms, page.end_ms)
        count = len(span.times_ms)
        if is_cut and (page.ascending or count < page.limit):
            return None
        wanted = span.part(0, page.limit) if page.ascending else span.part(max(0, count - page.limit), count)
        return bare_price_table(wanted if page.ascending else wanted.newest_first())

    def candle_table(self, coin_id: str, step_ms: int, page: Page) -> pa.Table:
        """A page of price intervals as columns of CANDLE_TABLE; `page` is about their starts.

        Ascending, the interval that is not closed yet is left out: its figures would still change.
        """
        with self.prices() as prices:
            return candle_page(prices, coin_id, step_ms, page)

    def series(self, coin_id: str, start_ms: int, step_ms: int = 0) -> tuple[list[int], list[float]]:
        """Event times in UTC milliseconds and prices from `start_ms` on, the last one of each `step_ms`.

        Hourly prices from the first start extend the series to before the first stored price, for charts of a week.
        """
        with self.prices() as prices:
            before = hourly_before(prices, coin_id, start_ms)
            rows: Iterable[tuple[int, float]] = [*before, *prices.range(coin_id, start_ms)]
        if step_ms:
            rows = {ts_ms // step_ms: (ts_ms, price) for ts_ms, price in rows}.values()
        pairs = list(rows)
        return [ts_ms for ts_ms, _ in pairs], [price for _, price in pairs]

    def price_count(self) -> int | None:
        """How many prices are stored; None while nobody knows."""
        try:
            with self.prices() as prices:
                count = prices.meta().get(PRICE_COUNT)
        except (NotReady, DamagedFile):
            return None
        return int(count) if count is not None and count.isdecimal() and len(count) < 16 else None
