"""Pages of long lists as tables, column by column: stored prices, price intervals, and logged forecasts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from core.forecast_schema import QUANTILE_COLUMNS, current_kind
from core.publishing.manifest import Part
from core.reading.queries import log_part, parts_between
from core.reading.recent_prices import PriceSpan
from core.realised_price import realised_prices
from core.times import MINUTE_MS

__all__ = [
    "CANDLE_TABLE",
    "LOG_TABLE",
    "PRICE_TABLE",
    "Page",
    "bare_price_table",
    "candle_table",
    "log_page",
    "price_table",
    "with_outcomes",
]

_TIME: Final = pa.timestamp("ms", "UTC")

PRICE_TABLE: Final = pa.schema(
    {"time": _TIME, "price": pa.float64(), "market_cap": pa.float64(), "volume": pa.float64(), "fetched": _TIME}
)
_BARE_PRICES: Final = pa.schema([PRICE_TABLE.field("time"), PRICE_TABLE.field("price")])

CANDLE_TABLE: Final = pa.schema(
    {
        "start": _TIME,
        "end": _TIME,
        "open": pa.float64(),
        "high": pa.float64(),
        "low": pa.float64(),
        "close": pa.float64(),
        "prices": pa.int64(),
        "is_closed": pa.bool_(),
    }
)
"""Prices from `start` (included) to `end` (not included): the first, highest, lowest and last one, and their number.

`is_closed`: a price at `end` or later is stored. Intervals without any price are missing.
"""

_STORED: Final = ("price_origin", "mean", *QUANTILE_COLUMNS, "p_up")
_LOG_COLUMNS: Final = ("coin", "origin", "horizon_min", *_STORED, "kind", "model_version", "created_at")

LOG_TABLE: Final = pa.schema(
    {
        "origin": _TIME,
        "target": _TIME,
        **dict.fromkeys(_STORED, pa.float64()),
        "kind": pa.string(),
        "model_version": pa.string(),
        "created": _TIME,
        "actual": pa.float64(),
        "error_percent": pa.float64(),
    }
)
"""`actual` and `error_percent` (of the price at the origin) are null while the outcome is unknown."""


@dataclass(frozen=True)
class Page:
    """At most `limit` rows with times (UTC milliseconds) within [start_ms, end_ms].

    The newest ones, newest first; or, ascending, the oldest ones, oldest first.
    """

    start_ms: int
    end_ms: int
    limit: int
    ascending: bool = False


def bare_price_table(span: PriceSpan) -> pa.Table:
    """The first two columns of PRICE_TABLE."""
    columns = (
        _price_column(values, field.type)
        for values, field in zip((span.times_ms, span.prices), _BARE_PRICES, strict=True)
    )
    return pa.table(list(columns), _BARE_PRICES)


def price_table(batches: Iterable[Sequence[tuple[Any, ...]]], *, bare: bool = False) -> pa.Table:
    """A table of PRICE_TABLE, or (bare) of its first two columns, from batches of its rows, times in milliseconds."""
    schema = _BARE_PRICES if bare else PRICE_TABLE
    return pa.Table.from_batches([_price_batch(rows, schema) for rows in batches], schema)


def candle_table(prices: Sequence[tuple[int, float]], step_ms: int, newest_ms: int) -> pa.Table:
    """A table of CANDLE_TABLE, in order, from event times in UTC milliseconds and prices, in order.

    Args:
        prices: of whole intervals.
        step_ms: length of an interval; intervals begin at its multiples since 1970 in UTC.
        newest_ms: event time of the coin's newest price.
    """
    if not prices:
        return CANDLE_TABLE.empty_table()
    times_ms, values = np.array([time for time, _ in prices]), np.array([price for _, price in prices])
    number = times_ms // step_ms
    first = np.flatnonzero(np.diff(number, prepend=number[0] - 1))
    last = np.append(first[1:], len(number)) - 1
    start_ms = number[first] * step_ms
    columns = [
        pa.array(start_ms).cast(_TIME),
        pa.array(start_ms + step_ms).cast(_TIME),
        pa.array(values[first]),
        pa.array(np.maximum.reduceat(values, first)),
        pa.array(np.minimum.reduceat(values, first)),
        pa.array(values[last]),
        pa.array(last - first + 1),
        pa.array(start_ms + step_ms <= newest_ms),
    ]
    return pa.table(columns, CANDLE_TABLE)


def log_page(folder: Path, parts: Iterable[Part], coin_id: str, horizon_min: int, page: Page) -> pa.Table:
    """Rows of the log of one coin and horizon, origins in UTC milliseconds.

    Parts that lie beyond all rows that are wanted are not read.
    """
    chosen = parts_between(parts, page.start_ms, page.end_ms)
    if page.ascending:
        chosen = sorted(chosen, key=lambda part: part.start_ms)
    found: list[pa.Table] = []
    rows = 0
    for part in chosen:
        if rows >= page.limit:
            so_far = _first_rows(found, page)
            if so_far.num_rows == page.limit and _is_beyond(part, so_far["origin"][-1].as_py(), page):
                return so_far
        found.append(log_part(folder / part.file, part.level, coin_id, horizon_min, _LOG_COLUMNS))
        rows += found[-1].num_rows
    return _first_rows(found, page) if found else LOG_TABLE.empty_table()


def with_outcomes(rows: pa.Table, horizon_min: int, known: PriceSpan, newest_ms: int) -> pa.Table:
    """A table of LOG_TABLE: logged forecasts of one coin and their realised prices.

    Args:
        rows: of `log_page`, at least one.
        horizon_min: of all rows.
        known: the coin's prices around the target times.
        newest_ms: event time of the coin's newest price.
    """
    origins_ms = rows["origin"].to_numpy()
    targets_ms = origins_ms + horizon_min * MINUTE_MS
    actual = realised_prices(known.times_ms, known.prices, targets_ms, newest_ms)
    unknown = np.isnan(actual)
    error_percent = 100.0 * (rows["mean"].to_numpy() - actual) / rows["price_origin"].to_numpy()
    kinds = rows["kind"].combine_chunks().dictionary_encode()
    current = pa.array([current_kind(kind) for kind in kinds.dictionary.to_pylist()], pa.string())
    columns = [
        *(pa.array(times).cast(_TIME) for times in (origins_ms, targets_ms)),
        *(rows[name].combine_chunks() for name in _STORED),
        current.take(kinds.indices),
        rows["model_version"].combine_chunks(),
        rows["created_at"].combine_chunks(),
        *(pa.array(column, mask=unknown) for column in (actual, error_percent)),
    ]
    return pa.table(columns, LOG_TABLE)


def _is_beyond(part: Part, edge_ms: int, page: Page) -> bool:
    return part.start_ms > edge_ms if page.ascending else part.end_ms < edge_ms


def _first_rows(tables: Sequence[pa.Table], page: Page) -> pa.Table:
    rows = pa.concat_tables(tables).combine_chunks()
    origins_ms = rows["origin"].to_numpy()
    inside = np.flatnonzero((origins_ms >= page.start_ms) & (origins_ms <= page.end_ms))
    order = np.argsort(origins_ms[inside] if page.ascending else -origins_ms[inside], kind="stable")
    return rows.take(inside[order][: page.limit])


def _price_batch(rows: Sequence[tuple[Any, ...]], schema: pa.Schema) -> pa.RecordBatch:
    """Rows as columns by way of floating-point numbers, which hold milliseconds exactly; nothing is NaN."""
    if len(schema) == len(_BARE_PRICES):
        values = np.fromiter(chain.from_iterable(rows), np.float64, len(rows) * len(schema)).reshape(-1, len(schema))
    else:
        values = np.array(rows, np.float64)
    columns = zip(values.T, schema, strict=True)
    return pa.RecordBatch.from_arrays([_price_column(column, field.type) for column, field in columns], schema=schema)


def _price_column(values: npt.NDArray[Any], kind: pa.DataType) -> pa.Array:
    return pa.array(values.astype(np.int64)).cast(kind) if kind == _TIME else pa.array(values, from_pandas=True)
