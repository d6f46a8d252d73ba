"""The files of a simulated month: how many there must be and how large they may be."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from core.times import DAY_MS, HOUR_MS, MINUTE_MS

__all__ = ["FileVerdict", "check_files", "read_parts", "size_of"]

TABLES: Final = ("log", "features", "scaled_hours", "scores")
_CLOSED_AFTER_MS: Final = 10 * MINUTE_MS
_LATE_MS: Final = {"scores": HOUR_MS}
"""Scores of an hour come until an hour after it."""

_MODELS: Final = 5
_SUPERSEDED: Final = 20
"""Files of the last 90 seconds that a newer publication replaced."""


@dataclass(frozen=True)
class FileVerdict:
    """The files of the published tables and models.

    Attributes:
        parts: files of the growing tables, by table.
        expected: their numbers, computed from their times: one a closed day, one a closed hour of the last
            day, and those of the hour that is not closed.
        old: files whose rows all lie before retention.
        unnamed: files that no manifest names, apart from those set aside and those just superseded.
        models: stored models.
        empty_folders: folders without a file.
    """

    parts: Mapping[str, int]
    expected: Mapping[str, int]
    old: int
    unnamed: int
    models: int
    empty_folders: int

    @property
    def problems(self) -> int:
        """How many files are too many, too few or too old."""
        differences = sum(abs(self.parts[name] - self.expected[name]) for name in self.parts)
        return differences + self.old + self.unnamed + max(0, self.models - _MODELS) + self.empty_folders


def read_parts(processed: Path, name: str) -> pa.Table:
    """All rows of a growing table, read with json and pyarrow alone."""
    parts = json.loads((processed / "manifest.json").read_bytes())["parts"][name]
    return pa.concat_tables([pq.read_table(processed / part["file"]) for part in parts], promote_options="default")


def check_files(processed: Path, models: Path, now_ms: int, keep_days: int) -> FileVerdict:
    """Count the files as they lie on the disk after a run that ended at `now_ms` of the machine's clock."""
    manifest = json.loads((processed / "manifest.json").read_bytes())
    parts: dict[str, list[dict[str, Any]]] = {name: manifest["parts"][name] for name in TABLES}
    named = {part["file"] for table in manifest["parts"].values() for part in table}
    named |= {entry["file"] for entry in manifest["entries"].values()}
    on_disk = {path.relative_to(processed).as_posix() for path in processed.rglob("*.parquet")}
    folders = [path for path in processed.rglob("*") if path.is_dir()]
    return FileVerdict(
        parts={name: len(table) for name, table in parts.items()},
        expected={name: _expected(table, now_ms - _LATE_MS.get(name, 0)) for name, table in parts.items()},
        old=sum(part["end_ms"] < now_ms - keep_days * DAY_MS for table in parts.values() for part in table),
        unnamed=max(0, len(on_disk - named) - _SUPERSEDED) + len(named - on_disk),
        models=len(list(models.glob("model-*.joblib"))),
        empty_folders=sum(not any(folder.iterdir()) for folder in folders),
    )


def _expected(parts: list[dict[str, Any]], now_ms: int) -> int:
    """How many files there must be if every closed day is one file, and every closed hour beside them."""
    days = {part["start_ms"] // DAY_MS for part in parts if _is_closed(part["start_ms"], DAY_MS, now_ms)}
    rest = [part["start_ms"] for part in parts if not _is_closed(part["start_ms"], DAY_MS, now_ms)]
    hours = {start_ms // HOUR_MS for start_ms in rest if _is_closed(start_ms, HOUR_MS, now_ms)}
    return len(days) + len(hours) + sum(not _is_closed(start_ms, HOUR_MS, now_ms) for start_ms in rest)


def _is_closed(start_ms: int, length_ms: int, now_ms: int) -> bool:
    return (start_ms // length_ms + 1) * length_ms + _CLOSED_AFTER_MS <= now_ms


def size_of(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
