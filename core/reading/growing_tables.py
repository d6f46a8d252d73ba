"""Rows of the published tables that grow (log, scores, features), by coin and time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from core.publishing.file_cache import kept_of_files
from core.publishing.manifest import ManifestReader, Part
from core.publishing.parquet import read_table
from core.reading.queries import parts_between

__all__ = ["GrowingTable"]


@dataclass(frozen=True)
class GrowingTable:
    """A growing table as it is published now.

    Attributes:
        folder: where its files are.
        parts: its files.
        time: its column of times.
        horizon_min: the only horizon that counts, or None for a table that has no horizons or all of them.
    """

    folder: Path
    parts: tuple[Part, ...]
    time: str
    horizon_min: int | None = None

    @classmethod
    def published(cls, folder: Path, name: str, time: str, horizon_min: int | None = None) -> GrowingTable:
        """The table `name` of the newest publication; without parts if nothing of it is published yet.

        Raises:
            NotReady: nothing at all is published yet.
        """
        return cls(folder, ManifestReader(folder).current().parts.get(name, ()), time, horizon_min)

    def rows(self, coin_id: str, start_ms: int, end_ms: int, limit: int | None = None) -> pa.Table | None:
        """Rows of one coin within [start_ms, end_ms], newest first, at most `limit`; None without any part there."""
        found: list[pa.Table] = []
        for part in parts_between(self.parts, start_ms, end_ms):
            table = read_table(self.folder / part.file, coin=coin_id)
            found.append(self._within(table, start_ms, end_ms))
            if limit is not None and sum(len(rows) for rows in found) >= limit:
                break
        if not found:
            return None
        newest_first = pa.concat_tables(found, promote_options="default").sort_by([(self.time, "descending")])
        return newest_first if limit is None else newest_first.slice(0, limit)

    def count(self, coin_ids: Iterable[str], start_ms: int, end_ms: int) -> int:
        """Number of rows of these coins within [start_ms, end_ms]."""
        wanted = list(coin_ids)
        total = 0
        for part in parts_between(self.parts, start_ms, end_ms):
            path = self.folder / part.file
            if start_ms <= part.start_ms and part.end_ms <= end_ms:
                counts = _rows_by_coin(path, self.horizon_min)
                total += sum(counts.get(coin, 0) for coin in wanted)
            else:
                table = read_table(path, self._keys())
                mine = table.filter(pc.is_in(table["coin"], pa.array(wanted, pa.string())))
                total += len(self._within(mine, start_ms, end_ms))
        return total

    def _keys(self) -> Sequence[str]:
        return ("coin", self.time) if self.horizon_min is None else ("coin", self.time, "horizon_min")

    def _within(self, table: pa.Table, start_ms: int, end_ms: int) -> pa.Table:
        times = table[self.time].cast(pa.int64())
        inside = pc.and_(pc.greater_equal(times, start_ms), pc.less_equal(times, end_ms))
        if self.horizon_min is not None:
            inside = pc.and_(inside, pc.equal(table["horizon_min"], self.horizon_min))
        return table.filter(inside)


@kept_of_files(4096)
def _rows_by_coin(path: Path, horizon_min: int | None) -> dict[str, int]:
    """Number of rows by coin in a published file, which never changes."""
    table = read_table(path, ["coin"] if horizon_min is None else ["coin", "horizon_min"])
    if horizon_min is not None:
        table = table.filter(pc.equal(table["horizon_min"], horizon_min))
    counts = table["coin"].value_counts()
    return {pair["values"]: pair["counts"] for pair in counts.to_pylist()}
