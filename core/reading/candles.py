"""Pages of price intervals, read no further than they need."""

from __future__ import annotations

import pyarrow as pa

from core.price_store import PriceReader
from core.reading.tables import CANDLE_TABLE, Page, candle_table
from core.times import FOREVER_MS

__all__ = ["candle_page"]


def candle_page(prices: PriceReader, coin_id: str, step_ms: int, page: Page) -> pa.Table:
    """A page of CANDLE_TABLE whose intervals start within the page's span.

    Reads as many intervals as are asked for, and twice as many as long as gaps leave too few. Ascending, the interval
    that is not closed yet is left out.
    """
    oldest_ms, newest = prices.first_ms(coin_id), prices.as_of(coin_id, FOREVER_MS)
    if oldest_ms is None or newest is None:
        return CANDLE_TABLE.empty_table()
    newest_ms = newest[0]
    first = max(-(-page.start_ms // step_ms), oldest_ms // step_ms)
    last = min(page.end_ms // step_ms, newest_ms // step_ms - (1 if page.ascending else 0))
    count = page.limit
    while True:
        start, end = (first, min(last, first + count - 1)) if page.ascending else (max(first, last - count + 1), last)
        rows = prices.range(coin_id, start * step_ms, (end + 1) * step_ms - 1) if start <= end else []
        table = candle_table(rows, step_ms, newest_ms)
        if table.num_rows >= page.limit or (start, end) == (first, last) or start > end:
            return _ordered(table, page)
        count *= 2


def _ordered(table: pa.Table, page: Page) -> pa.Table:
    order = range(table.num_rows) if page.ascending else range(table.num_rows - 1, -1, -1)
    return table.take(pa.array(order, pa.int64())).slice(0, page.limit)
