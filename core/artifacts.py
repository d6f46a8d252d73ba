"""What the pipeline publishes: immutable Parquet files and one manifest, replaced atomically.

A reader that holds a manifest finds every file it names: superseded files live on for `KEEP_MS`. Power loss at any
instant leaves the old manifest or the new one, and files reach the disk before the manifest that names them.
"""

from __future__ import annotations

import io
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from core.errors import DamagedFile, NotReady
from core.files import read_json, set_aside, write_atomically, write_json
from core.times import DAY_MS, HOUR_MS, iso, now_ms, to_datetime

__all__ = ["KEEP_S", "MANIFEST", "Entry", "Manifest", "ManifestReader", "Part", "Publisher", "read_table"]

KEEP_S: Final = 90.0
"""How long a superseded file stays on disk for readers that hold an older manifest."""

MANIFEST: Final = "manifest.json"
_ROW_GROUP: Final = 16_384
_LEVEL_MS: Final = {"hour": HOUR_MS, "day": DAY_MS}
_FINER: Final = {"hour": ("slot",), "day": ("slot", "hour")}

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Entry:
    """A published table that is replaced as a whole."""

    file: str
    rows: int
    updated_ms: int


@dataclass(frozen=True)
class Part:
    """A piece of a table that only grows, from its earliest to its latest moment; `level` is slot, hour or day."""

    file: str
    rows: int
    start_ms: int
    end_ms: int
    level: str


@dataclass(frozen=True)
class Manifest:
    """What is published at one instant."""

    version: int = 0
    published_ms: int = 0
    entries: Mapping[str, Entry] = field(default_factory=dict)
    parts: Mapping[str, tuple[Part, ...]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The manifest as plain values."""
        return {
            "version": self.version,
            "published_ms": self.published_ms,
            "published_at": iso(self.published_ms),
            "entries": {name: vars(entry) for name, entry in self.entries.items()},
            "parts": {name: [vars(part) for part in parts] for name, parts in self.parts.items()},
        }

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> Manifest:
        """The manifest that `to_json` wrote.

        Raises:
            DamagedFile: a field is missing or of the wrong kind.
        """
        try:
            return Manifest(
                version=int(value["version"]),
                published_ms=int(value["published_ms"]),
                entries={name: Entry(**entry) for name, entry in value["entries"].items()},
                parts={name: tuple(Part(**part) for part in parts) for name, parts in value["parts"].items()},
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DamagedFile(f"{MANIFEST}: {error!r}") from error

    def files(self) -> set[str]:
        """Every file the manifest names."""
        return {entry.file for entry in self.entries.values()} | {
            part.file for parts in self.parts.values() for part in parts
        }


class ManifestReader:
    """Gives the newest manifest; re-reads it only when the file has changed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._path = folder / MANIFEST
        self._cached: tuple[tuple[int, int, int], Manifest] | None = None

    def key(self) -> tuple[int, int, int]:
        """Changes whenever a new manifest was published; costs one `stat`.

        Raises:
            NotReady: nothing was published yet.
        """
        try:
            status = self._path.stat()
        except OSError as error:
            raise NotReady("ainda não há previsões publicadas") from error
        return status.st_mtime_ns, status.st_ino, status.st_size

    def current(self) -> Manifest:
        """The newest manifest.

        Raises:
            NotReady: nothing was published yet.
            DamagedFile: the manifest cannot be read.
        """
        key = self.key()
        cached = self._cached
        if cached is None or cached[0] != key:
            try:
                cached = (key, Manifest.from_json(read_json(self._path)))
            except FileNotFoundError as error:
                raise NotReady("ainda não há previsões publicadas") from error
            self._cached = cached
        return cached[1]


class Publisher:
    """The one writer of a folder of artifacts."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.damaged: list[str] = []
        self.bytes_written = 0
        self._retired: dict[str, float] = {}
        self._manifest = self._recover()
        self._retire_unnamed()

    @property
    def manifest(self) -> Manifest:
        """What is published now."""
        return self._manifest

    def publish(
        self,
        entries: Mapping[str, pa.Table] | None = None,
        appended: Mapping[str, tuple[int, int, pa.Table]] | None = None,
    ) -> Manifest:
        """Replace `entries` and append `appended` (name → earliest and latest moment, table) in one visible step.

        Raises:
            OSError: the disk refused; what was published before stays published.
        """
        version, now = self._manifest.version + 1, now_ms()
        new_entries = dict(self._manifest.entries)
        for name, table in (entries or {}).items():
            file = f"{name}-{version:09d}.parquet"
            self._write(file, table)
            new_entries[name] = Entry(file, table.num_rows, now)
        new_parts = dict(self._manifest.parts)
        for name, (start_ms, end_ms, table) in (appended or {}).items():
            part = self._write_part(name, table, (start_ms, end_ms), "slot", version)
            new_parts[name] = (*new_parts.get(name, ()), part)
        return self._swap(Manifest(version, now, new_entries, new_parts))

    def read(self, name: str, columns: Sequence[str] | None = None, since_ms: int = 0) -> list[pa.Table]:
        """The published parts of `name` that may hold rows from `since_ms` on, oldest first."""
        parts = [part for part in self._manifest.parts.get(name, ()) if part.end_ms >= since_ms]
        return [read_table(self.folder / part.file, columns) for part in sorted(parts, key=lambda part: part.start_ms)]

    def compact(self, name: str, now: int, sort_by: Sequence[str]) -> bool:
        """Merge the pieces of one closed hour or day of `name`, sorted; at most one merge a call.

        Returns whether there was something to merge.
        """
        for level in ("day", "hour"):
            closed = self._closed_group(name, level, now)
            if closed:
                self._merge(name, closed, level, sort_by)
                return True
        return False

    def retire_before(self, name: str, start_ms: int) -> None:
        """Forget the parts of `name` that ended before `start_ms`."""
        parts = self._manifest.parts.get(name, ())
        kept = tuple(part for part in parts if part.end_ms >= start_ms)
        if len(kept) != len(parts):
            self._swap(
                replace(self._manifest, version=self._manifest.version + 1, parts={**self._manifest.parts, name: kept})
            )

    def sweep(self) -> None:
        """Delete files that no reader can still be pointed to."""
        deadline = time.monotonic() - KEEP_S
        for file in [file for file, retired in self._retired.items() if retired <= deadline]:
            try:
                (self.folder / file).unlink(missing_ok=True)
            except OSError as error:
                _log.warning("cannot delete %s yet: %s", file, error)
            else:
                del self._retired[file]

    def _closed_group(self, name: str, level: str, now: int) -> list[Part]:
        """The oldest closed hour (or day) of `name` that still lies in finer pieces."""
        length = _LEVEL_MS[level]
        groups: dict[int, list[Part]] = {}
        for part in self._manifest.parts.get(name, ()):
            groups.setdefault(part.start_ms // length, []).append(part)
        for start in sorted(groups):
            is_closed = (start + 1) * length + 600_000 <= now
            if is_closed and any(part.level in _FINER[level] for part in groups[start]):
                return groups[start]
        return []

    def _merge(self, name: str, parts: list[Part], level: str, sort_by: Sequence[str]) -> None:
        tables = [read_table(self.folder / part.file) for part in parts]
        table = pa.concat_tables(tables).sort_by([(column, "ascending") for column in sort_by])
        version = self._manifest.version + 1
        span = (min(part.start_ms for part in parts), max(part.end_ms for part in parts))
        merged = self._write_part(name, table, span, level, version)
        kept = tuple(part for part in self._manifest.parts[name] if part not in parts)
        self._swap(Manifest(version, now_ms(), self._manifest.entries, {**self._manifest.parts, name: (*kept, merged)}))

    def _write_part(self, name: str, table: pa.Table, span: tuple[int, int], level: str, version: int) -> Part:
        moment = to_datetime(span[0])
        file = f"{name}/{moment:%Y-%m-%d}/{level}-{moment:%H%M}-{version:09d}.parquet"
        self._write(file, table)
        return Part(file, table.num_rows, *span, level)

    def _write(self, file: str, table: pa.Table) -> None:
        buffer = io.BytesIO()
        pq.write_table(
            table, buffer, compression="zstd", row_group_size=_ROW_GROUP, write_page_checksum=True, version="2.6"
        )
        content = buffer.getvalue()
        write_atomically(self.folder / file, content)
        self.bytes_written += len(content)

    def _swap(self, manifest: Manifest) -> Manifest:
        write_json(self.folder / MANIFEST, manifest.to_json())
        dropped = self._manifest.files() - manifest.files()
        self._retired.update(dict.fromkeys(dropped, time.monotonic()))
        self._manifest = manifest
        return manifest

    def _recover(self) -> Manifest:
        """The manifest on disk without the files that cannot be read, which are set aside."""
        path = self.folder / MANIFEST
        try:
            manifest = Manifest.from_json(read_json(path))
        except FileNotFoundError:
            return Manifest()
        except DamagedFile as error:
            self._set_aside(path, error)
            return Manifest()
        bad = {file for file in manifest.files() if not self._is_whole(file)}
        entries = {name: entry for name, entry in manifest.entries.items() if entry.file not in bad}
        parts = {name: tuple(part for part in parts if part.file not in bad) for name, parts in manifest.parts.items()}
        return replace(manifest, entries=entries, parts=parts)

    def _is_whole(self, file: str) -> bool:
        path = self.folder / file
        try:
            pq.read_metadata(path)
        except FileNotFoundError as error:
            self.damaged.append(file)
            _log.error("%s is missing: %s", file, error)
            return False
        except (pa.ArrowInvalid, OSError) as error:
            self._set_aside(path, error)
            return False
        return True

    def _set_aside(self, path: Path, error: Exception) -> None:
        self.damaged.append(path.name)
        _log.error("%s is damaged (%s): set aside as %s", path.name, error, set_aside(path).name)

    def _retire_unnamed(self) -> None:
        """Files a crash left without a manifest that names them go the way of superseded ones."""
        named = self._manifest.files()
        for path in self.folder.rglob("*"):
            file = path.relative_to(self.folder).as_posix()
            if path.is_file() and path.suffix in (".parquet", ".tmp") and file not in named:
                self._retired[file] = time.monotonic()


def read_table(path: Path, columns: Sequence[str] | None = None, coin: str | None = None) -> pa.Table:
    """A published table, or only the rows of `coin`, checked page by page.

    Raises:
        NotReady: the file was superseded long ago; read the manifest again.
        DamagedFile: it cannot be read.
    """
    filters = None if coin is None else [("coin", "=", coin)]
    wanted = None if columns is None else list(columns)
    try:
        return pq.read_table(
            io.BytesIO(path.read_bytes()), columns=wanted, filters=filters, page_checksum_verification=True
        )
    except FileNotFoundError as error:
        raise NotReady(f"{path.name} foi substituído") from error
    except (pa.ArrowInvalid, OSError) as error:
        raise DamagedFile(f"{path.name}: {error}") from error
