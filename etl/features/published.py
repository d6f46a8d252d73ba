"""Which feature rows are published already, and how new ones are appended: each row is written once."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from core.publishing.publisher import Publisher
from core.times import DAY_MS, HOUR_MS

__all__ = ["feature_part", "newest_times", "not_yet_written", "written_until"]


def written_until(publisher: Publisher, now_ms: int) -> dict[str, int]:
    """The newest grid point of each coin in the features of the last day and hour that are published at `now_ms`."""
    since_ms = publisher.manifest.newest_ms("features", now_ms) - DAY_MS - HOUR_MS
    until: dict[str, int] = {}
    for table in publisher.read("features", ["coin", "ts"], since_ms):
        until |= {coin: max(ts_ms, until.get(coin, -1)) for coin, ts_ms in newest_times(table, "ts").items()}
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


def newest_times(table: pa.Table, column: str) -> dict[str, int]:
    """The newest value of a time column by coin, in UTC milliseconds."""
    newest = table.group_by("coin").aggregate([(column, "max")])
    return dict(zip(newest["coin"].to_pylist(), newest[f"{column}_max"].cast(pa.int64()).to_pylist(), strict=True))
