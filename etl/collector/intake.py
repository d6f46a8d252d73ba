"""Turns replies into accepted prices: filters every row, notes missing coins, and buffers what is to be stored."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping

from core.errors import BadReply
from core.price_store import Price
from core.times import HOUR_MS
from etl.coingecko.client import Chart, MarketsPage
from etl.coingecko.parsing import MarketRow, ReplyTime, hourly_prices
from etl.collector.jump_filter import JumpFilter, contradicts, plausible_series, supported
from etl.collector.write_buffer import WriteBuffer

__all__ = ["Intake"]

_log = logging.getLogger(__name__)


class Intake:
    """Holds each coin's newest accepted event time (`newest`) and the coins without a price in the last reply."""

    def __init__(self, buffer: WriteBuffer) -> None:
        self._buffer = buffer
        self._jump_filter = JumpFilter()
        self._held = self._jump_filter.dump_state()
        self.newest: dict[str, int] = {}
        self.missing: set[str] = set()

    def resume(self, latest: Mapping[str, Price]) -> None:
        """Start, or start again, from the newest stored price of each coin."""
        self._jump_filter, self.newest = JumpFilter(), {}
        self._held = self._jump_filter.dump_state()
        for coin_id, price in latest.items():
            self._jump_filter.reset_level(price, cadence_s=0)
            self.newest[coin_id] = price.ts_ms

    def load_state(self, held: str) -> None:
        """Restore the unconfirmed jumps of the last run, after `resume`; raises what invalid JSON raises."""
        self._jump_filter.load_state(held)
        self._held = held

    @property
    def newest_ms(self) -> int | None:
        """Newest accepted event time of all coins, or None."""
        return max(self.newest.values(), default=None)

    @property
    def unconfirmed(self) -> list[str]:
        """Coins with an unconfirmed jump."""
        return self._jump_filter.unconfirmed

    def keep(self, coin_ids: Iterable[str]) -> None:
        """Forget the coins that are not in `coin_ids`, because they are no longer collected."""
        wanted = set(coin_ids)
        self.missing &= wanted
        self.newest = {coin_id: ts_ms for coin_id, ts_ms in self.newest.items() if coin_id in wanted}
        self._jump_filter.keep(wanted)
        self._store_unconfirmed()

    def take_page(self, page: MarketsPage, wanted: Iterable[str], cadence_s: float) -> None:
        """Take the rows of the coins in `wanted`; ignore the others."""
        rows = {row.coin.id: row for row in page.rows}
        asked = set(wanted)
        priced = {coin_id for coin_id in asked if coin_id in rows and rows[coin_id].price is not None}
        self._note_missing(asked, asked - priced)
        for row in page.rows:
            if row.coin.id in asked:
                self._take_row(row, page.reply_time, cadence_s)
        self._store_unconfirmed()

    def take_chart(self, coin_id: str, chart: Chart, cadence_s: float) -> int:
        """Take the plausible prices of a coin's chart; return their number.

        Raises:
            BadReply: most of the chart is far from the prices accepted for the same time.
        """
        series = plausible_series(chart.prices)
        accepted = self._accepted(coin_id, chart)
        if contradicts(series, accepted):
            raise BadReply(f"the chart of {coin_id} contradicts its price")
        kept = set(series)
        left_out = [price for price in chart.prices if price not in kept]
        series = sorted([*series, *supported(left_out, accepted)], key=lambda price: price.ts_ms)
        self._store(series, chart.reply_time)
        if series:
            self._store(self._jump_filter.reset_level(series[-1], cadence_s), chart.reply_time)
        self._hold_ends(coin_id, left_out, chart.reply_time, cadence_s)
        self._store_unconfirmed()
        return len(series)

    def _accepted(self, coin_id: str, chart: Chart) -> list[tuple[int, float]]:
        """Accepted prices of the time that a chart covers: the stored ones, else the last accepted one."""
        stored = self._buffer.recent(coin_id, chart.prices[0].ts_ms - HOUR_MS) if chart.prices else []
        last = self._jump_filter.last(coin_id)
        return stored or ([] if last is None else [last])

    def _hold_ends(self, coin_id: str, left_out: list[Price], reply_time: ReplyTime, cadence_s: float) -> None:
        """Hold the chart's unconfirmed prices after the last accepted one, as the filter holds a poll's quote."""
        for price in left_out:
            last = self._jump_filter.last(coin_id)
            if last is not None and price.ts_ms > last[0]:
                self._store(self._jump_filter.accept(price, cadence_s), reply_time)

    def _take_row(self, row: MarketRow, reply_time: ReplyTime, cadence_s: float) -> None:
        self._buffer.add_coin(row.coin)
        if row.price is None:
            return
        if (level := _usual_level(row)) is not None:
            self._jump_filter.expect_near(row.coin.id, level)
        else:
            self._jump_filter.expect_unknown(row.coin.id)
        accepted = self._jump_filter.accept(row.price, cadence_s)
        self._store(accepted, reply_time)
        if row.sparkline and accepted:
            self._buffer.set_hourly(row.coin.id, _plausible_hours(row))

    def _store(self, prices: list[Price], reply_time: ReplyTime) -> None:
        """Buffer accepted prices; one that was held counts as fetched with the reply that confirms it."""
        accepted = (price._replace(fetched_ms=reply_time.fetched_ms) for price in prices)
        self._buffer.add_prices(accepted, reply_time.source_ms)
        for price in prices:
            self.newest[price.coin_id] = max(price.ts_ms, self.newest.get(price.coin_id, 0))

    def _note_missing(self, asked: set[str], missing: set[str]) -> None:
        """Log once when coins start or stop to be missing."""
        gone, back = missing - self.missing, (asked - missing) & self.missing
        if gone:
            _log.warning("no price for %s: unknown, renamed or delisted; asking again", ", ".join(sorted(gone)))
        if back:
            _log.info("prices again for %s", ", ".join(sorted(back)))
        self.missing = (self.missing - asked) | missing

    def _store_unconfirmed(self) -> None:
        held = self._jump_filter.dump_state()
        if held != self._held:
            self._held = held
            self._buffer.set_meta(held=held)


def _usual_level(row: MarketRow) -> float | None:
    """Recent level by the row's other fields: the last hourly price, else the price clipped to the day's range."""
    hours = [price for price in row.sparkline if price is not None]
    if hours:
        return hours[-1]
    if row.day_range is None or row.price is None:
        return None
    low, high = row.day_range
    return min(max(row.price.price, low), high)


def _plausible_hours(row: MarketRow) -> list[tuple[int, float]]:
    """Hourly prices of a row without outliers."""
    series = [Price(row.coin.id, ts_ms, price) for ts_ms, price in hourly_prices(row)]
    return [(price.ts_ms, price.price) for price in plausible_series(series)]
