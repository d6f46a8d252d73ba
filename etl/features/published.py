"""Growing tables of one row per coin and grid point, as they are published: each row is written once."""

from __future__ import annotations

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from core.publishing.publisher import Publisher
from core.times import DAY_MS, HOUR_MS

__all__ = ["NewRows", "newest_times"]

_MOST_WAITING: Final = 300_000
"""Rows that wait while the disk is full, 300 MB of features; the oldest are dropped first."""


class NewRows:
    """The rows of a growing table that wait to be published, without those that an earlier process has written.

    Args:
        publisher: has the published parts.
        name: of the table.
        time: its column of times.
        now_ms: UTC milliseconds.
        days: rows offered are at most this much older than the newest published one.
    """

    def __init__(self, publisher: Publisher, name: str, time: str, now_ms: int, days: int = 1) -> None:
        self._time = time
        since_ms = publisher.manifest.newest_ms(name, now_ms) - days * DAY_MS - HOUR_MS
        self._written: dict[str, int] = {}
        for table in publisher.read(name, ["coin", time], since_ms):
            for coin, ts_ms in newest_times(table, time).items():
                self._written[coin] = max(ts_ms, self._written.get(coin, -1))
        self._waiting: list[pa.Table] = []

    def add(self, rows: pa.Table) -> None:
        """Let rows wait, those later than what an earlier process has written of their coin."""
        if rows.num_rows and self._written:
            written = pa.array([self._written.get(coin, -1) for coin in rows["coin"].to_pylist()], pa.int64())
            rows = rows.filter(pc.greater(rows[self._time].cast(pa.int64()), written))
        if rows.num_rows:
            self._waiting.append(rows)
        while len(self._waiting) > 1 and sum(map(len, self._waiting)) > _MOST_WAITING:
            self._waiting.pop(0)

    def part(self) -> tuple[int, int, pa.Table] | None:
        """What waits, as `Publisher.publish` appends it: first and last time, rows; None without any."""
        if not self._waiting:
            return None
        rows = pa.concat_tables(self._waiting)
        span = pc.min_max(rows[self._time].cast(pa.int64())).as_py()
        return span["min"], span["max"], rows

    def clear(self) -> None:
        """Forget what waited: it is published."""
        self._waiting.clear()


def newest_times(table: pa.Table, column: str) -> dict[str, int]:
    """The newest value of a time column by coin, in UTC milliseconds."""
    newest = table.group_by("coin").aggregate([(column, "max")])
    return dict(zip(newest["coin"].to_pylist(), newest[f"{column}_max"].cast(pa.int64()).to_pylist(), strict=True))
