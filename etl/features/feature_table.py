"""Feature rows as Arrow tables, as the Parquet files store them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from core.publishing.publisher import Publisher
from core.times import DAY_MS, HOUR_MS
from etl.features.columns import FEATURE_NAMES
from etl.features.feature_grid import FeatureBlock

__all__ = ["FEATURE_SCHEMA", "feature_part", "feature_table", "newest_moments", "not_yet_written", "written_until"]

FEATURE_SCHEMA: Final = pa.schema(
    [
        ("coin", pa.string()),
        ("ts", pa.timestamp("ms", tz="UTC")),
        ("sigma", pa.float32()),
        *((name, pa.float32()) for name in FEATURE_NAMES),
    ]
)
"""One row per coin and grid point; `sigma` is the fast volatility of a 5-minute log return, the features' unit."""


def feature_table(blocks: Iterable[FeatureBlock], coins: Sequence[str]) -> pa.Table:
    """Usable rows of all blocks (FEATURE_SCHEMA), in the order of block, time, coin."""
    return pa.concat_tables([FEATURE_SCHEMA.empty_table(), *(_table(block, coins) for block in blocks)])


def _table(block: FeatureBlock, coins: Sequence[str]) -> pa.Table:
    row, column = np.nonzero(block.usable)
    names = np.array([coins[coin] for coin in block.coins], dtype=object)
    columns = [
        names[column],
        pa.array(block.ts_ms[row]).cast(FEATURE_SCHEMA.field("ts").type),
        block.vol_fast[row, column].astype(np.float32),
        *np.ascontiguousarray(block.x[row, column].T),
    ]
    return pa.table([pa.array(values) for values in columns], schema=FEATURE_SCHEMA)


def written_until(publisher: Publisher, now_ms: int) -> dict[str, int]:
    """The newest grid point of each coin in the features of the last day and hour that are published at `now_ms`."""
    since_ms = publisher.manifest.newest_ms("features", now_ms) - DAY_MS - HOUR_MS
    until: dict[str, int] = {}
    for table in publisher.read("features", ["coin", "ts"], since_ms):
        until |= {coin: max(ts_ms, until.get(coin, -1)) for coin, ts_ms in newest_moments(table, "ts").items()}
    return until


def not_yet_written(features: pa.Table, until: Mapping[str, int]) -> pa.Table:
    """The rows later than what `written_until` found of their coin."""
    if not features.num_rows or not until:
        return features
    limits = pa.array([until.get(coin, -1) for coin in features["coin"].to_pylist()], pa.int64())
    return features.filter(pc.greater(features["ts"].cast(pa.int64()), limits))


def feature_part(rows: pa.Table) -> tuple[int, int, pa.Table]:
    """Feature rows (at least one) as `Publisher.publish` appends them: first and last grid point, rows."""
    span = pc.min_max(rows["ts"].cast(pa.int64())).as_py()
    return span["min"], span["max"], rows


def newest_moments(table: pa.Table, column: str) -> dict[str, int]:
    """The newest value of a time column by coin, in UTC milliseconds."""
    newest = table.group_by("coin").aggregate([(column, "max")])
    return dict(zip(newest["coin"].to_pylist(), newest[f"{column}_max"].cast(pa.int64()).to_pylist(), strict=True))
