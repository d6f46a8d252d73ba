"""Long lists as tables, columns by columns: stored prices and logged forecasts, newest rows first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from core.publishing.manifest import Part
from core.reading.queries import log_part, parts_between
from core.realised_price import realised_prices
from core.times import MINUTE_MS

__all__ = ["LOG_TABLE", "PRICE_TABLE", "newest_log_rows", "price_table", "with_outcomes"]

_TIME: Final = pa.timestamp("ms", "UTC")

PRICE_TABLE: Final = pa.schema(
    {"time": _TIME, "price": pa.float64(), "market_cap": pa.float64(), "volume": pa.float64(), "fetched": _TIME}
)
LOG_TABLE: Final = pa.schema(
    {
        "origin": _TIME,
        "target": _TIME,
        "price_origin": pa.float64(),
        "mean": pa.float64(),
        "low_80": pa.float64(),
        "high_80": pa.float64(),
        "actual": pa.float64(),
        "error_percent": pa.float64(),
    }
)
"""`actual` and `error_percent` (of the price at the origin) are null while the outcome is unknown."""

_NO_LOG_ROWS: Final = pa.schema(
    {
        name: pa.int64() if name == "origin" else pa.float64()
        for name in ("origin", "price_origin", "mean", "q10", "q90")
    }
).empty_table()


def price_table(batches: Iterable[Sequence[tuple[Any, ...]]]) -> pa.Table:
    """A table of PRICE_TABLE from batches of its rows, times in UTC milliseconds."""
    return pa.Table.from_batches([_price_batch(rows) for rows in batches], PRICE_TABLE)


def newest_log_rows(
    folder: Path, parts: Iterable[Part], coin_id: str, horizon_min: int, *, span_ms: tuple[int, int], limit: int
) -> pa.Table:
    """At most `limit` rows of the log with origins (UTC milliseconds) within a span, newest first.

    Parts that lie before all rows that are wanted are not read.
    """
    found: list[pa.Table] = []
    rows = 0
    for part in parts_between(parts, *span_ms):
        newest = _newest(found, span_ms, limit) if rows >= limit else None
        if newest is not None and newest.num_rows == limit and newest["origin"][-1].as_py() > part.end_ms:
            break
        found.append(log_part(folder / part.file, part.level, coin_id, horizon_min))
        rows += found[-1].num_rows
    return _newest(found, span_ms, limit) if found else _NO_LOG_ROWS


def _newest(tables: Sequence[pa.Table], span_ms: tuple[int, int], limit: int) -> pa.Table:
    rows = pa.concat_tables(tables)
    origins_ms = rows["origin"].to_numpy()
    inside = np.flatnonzero((origins_ms >= span_ms[0]) & (origins_ms <= span_ms[1]))
    return rows.take(inside[np.argsort(-origins_ms[inside], kind="stable")][:limit])


def with_outcomes(rows: pa.Table, horizon_min: int, known: Sequence[tuple[int, float]], newest_ms: int) -> pa.Table:
    """A table of LOG_TABLE: logged forecasts of one coin and their realised prices.

    Args:
        rows: of the log, with origins in UTC milliseconds.
        horizon_min: of all rows.
        known: event times in UTC milliseconds and prices, in increasing order of time.
        newest_ms: event time of the coin's newest price.
    """
    targets_ms = rows["origin"].to_numpy() + horizon_min * MINUTE_MS
    times_ms, prices = zip(*known, strict=True) if known else ((), ())
    actual = realised_prices(times_ms, prices, targets_ms, newest_ms)
    unknown = np.isnan(actual)
    error_percent = 100.0 * (rows["mean"].to_numpy() - actual) / rows["price_origin"].to_numpy()
    stored = [rows[name].combine_chunks() for name in ("price_origin", "mean", "q10", "q90")]
    times = [pa.array(column).cast(_TIME) for column in (rows["origin"].to_numpy(), targets_ms)]
    realised = [pa.array(column, mask=unknown) for column in (actual, error_percent)]
    return pa.table([*times, *stored, *realised], LOG_TABLE)


def _price_batch(rows: Sequence[tuple[Any, ...]]) -> pa.RecordBatch:
    columns = zip(*rows, strict=True)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, PRICE_TABLE, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=PRICE_TABLE)
