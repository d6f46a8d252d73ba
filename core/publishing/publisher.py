"""Publishing: immutable Parquet files and one manifest that is replaced atomically.

A reader with a manifest finds every file it names, because superseded files are kept for `KEEP_S`. A power loss leaves
the old manifest or the new one, because files reach the disk before the manifest that names them. A copy of the
manifest is written in between, so that a damaged manifest can be restored.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

import pyarrow as pa

from core.aside import MOST_NAMED, move_aside, set_aside
from core.errors import DamagedFile
from core.files import delete_if_free, make_folder, read_json, replacing, write_atomically, write_json
from core.publishing.inspection import Inspection
from core.publishing.manifest import MANIFEST, Entry, Manifest, Part
from core.publishing.merge_choice import next_merge
from core.publishing.merging import CoinSpan, merged
from core.publishing.parquet import check_footer, check_whole, is_damage, read_checked, table_bytes, write_tables
from core.times import now_ms, to_datetime

__all__ = ["KEEP_S", "Publisher"]

KEEP_S: Final = 90.0
"""Seconds that a superseded file is kept for readers with an older manifest."""

_COPY: Final = "manifest-copy.json"

_log = logging.getLogger(__name__)


class Publisher:
    """The one writer of a folder of published tables; `damaged` names the newest files that were set aside."""

    def __init__(self, folder: Path) -> None:
        make_folder(folder)
        self.folder = folder
        self.damaged: list[str] = []
        self.bytes_written = 0
        self._retired: dict[str, float] = {}
        self._inspection = Inspection(folder)
        self._merging: dict[str, Iterator[bool]] = {}
        self._manifest = self._recover()
        self._drop(self._inspection.damaged(self._manifest.files(), check_footer))
        self._retire_unnamed()

    @property
    def manifest(self) -> Manifest:
        """The manifest of what is published now."""
        return self._manifest

    def publish(
        self,
        entries: Mapping[str, pa.Table] | None = None,
        appended: Mapping[str, tuple[int, int, pa.Table]] | None = None,
    ) -> Manifest:
        """Replace and append tables in one visible step.

        Args:
            entries: name → table that replaces the published one.
            appended: name → first and last time in UTC milliseconds, and the rows to append.

        Returns:
            The new manifest.

        Raises:
            OSError: the disk is full or cannot be written; the last publication stays.
        """
        version, now = self._manifest.version + 1, now_ms()
        new_entries = dict(self._manifest.entries)
        for name, table in (entries or {}).items():
            file = f"{name}-{version:09d}.parquet"
            self._write(file, table)
            new_entries[name] = Entry(file, table.num_rows, now)
        new_parts = dict(self._manifest.parts)
        for name, (start_ms, end_ms, table) in (appended or {}).items():
            file = _part_file(name, (start_ms, end_ms), "slot", version)
            self._write(file, table)
            part = Part(file, table.num_rows, start_ms, end_ms, "slot")
            new_parts[name] = (*new_parts.get(name, ()), part)
        return self._swap(Manifest(version, now, new_entries, new_parts))

    def read(self, name: str, columns: Sequence[str] | None = None, since_ms: int = 0) -> list[pa.Table]:
        """Read the parts of `name` that may hold rows from `since_ms` on, oldest first, without damaged ones."""
        parts = [part for part in self._manifest.parts.get(name, ()) if part.end_ms >= since_ms]
        tables = [self.table(part.file, columns) for part in sorted(parts, key=lambda part: part.start_ms)]
        return [table for table in tables if table is not None]

    def table(self, file: str, columns: Sequence[str] | None = None, span: CoinSpan | None = None) -> pa.Table | None:
        """Read one published file, or some columns or coins of it; None if it is damaged.

        Then it is set aside, and the others are published without it.

        Raises:
            OSError: it cannot be read now.
        """
        try:
            return read_checked(self.folder / file, columns, span=span)
        except (pa.ArrowInvalid, OSError, DamagedFile) as error:
            if not is_damage(error):
                raise
            self._drop({file: error})
            return None

    def inspect(self) -> None:
        """Check all files that changed on disk and one unchanged file in turn; set damaged ones aside.

        Called once a cycle, it finds overwritten files within a cycle and silent disk errors within hours.
        """
        if self._is_manifest_foreign():
            self._swap(self._manifest)
        named = self._manifest.files()
        self._inspection.forget_others({*named, MANIFEST})
        self._drop(self._inspection.damaged(named, check_whole, max_unchanged=1))

    def compact(self, name: str, now: int, arrange: Callable[[pa.Table], pa.Table]) -> bool:
        """Go on merging the parts of one closed hour or day of `name`: some coins at each call.

        Args:
            name: a growing table.
            now: UTC milliseconds.
            arrange: sorts the merged rows by coin before anything else, and may add up rows of a coin.

        Returns:
            Whether there was something to merge.

        Raises:
            OSError: the disk refused; the parts stay, and the next call begins again.
        """
        merge = self._merging.pop(name, None) or self._begun_merge(name, now, arrange)
        if merge is not None and not next(merge, True):
            self._merging[name] = merge
        return merge is not None

    def retire_before(self, name: str, start_ms: int) -> None:
        """Remove the parts of `name` that end before `start_ms`; a merge that may be reading them begins again."""
        parts = self._manifest.parts.get(name, ())
        kept = tuple(part for part in parts if part.end_ms >= start_ms)
        if len(kept) != len(parts):
            self._merging.pop(name, None)
            self._swap(
                replace(self._manifest, version=self._manifest.version + 1, parts={**self._manifest.parts, name: kept})
            )

    def sweep(self) -> None:
        """Delete files that were superseded more than `KEEP_S` ago, and the folder of a day with its last file."""
        deadline = time.monotonic() - KEEP_S
        for file in [file for file, retired in self._retired.items() if retired <= deadline]:
            if delete_if_free(self.folder / file, self.folder):
                del self._retired[file]

    def _begun_merge(self, name: str, now: int, arrange: Callable[[pa.Table], pa.Table]) -> Iterator[bool] | None:
        found = next_merge(self._manifest.parts.get(name, ()), now)
        return None if found is None else self._merge(name, *found, arrange)

    def _merge(
        self, name: str, level: str, parts: list[Part], arrange: Callable[[pa.Table], pa.Table]
    ) -> Iterator[bool]:
        """Merge step by step, with False between two of them; without result if a part is published no more."""
        span = (min(part.start_ms for part in parts), max(part.end_ms for part in parts))
        file = _part_file(name, span, level, self._manifest.version + 1)
        rows, rows_before = 0, sum(part.rows for part in parts)
        try:
            with replacing(self.folder / file) as disk:
                reads = [partial(self._undamaged, part.file) for part in parts]
                for count in write_tables(merged(reads, arrange), disk):
                    rows += count
                    if rows < rows_before:
                        yield False
                named = self._manifest.parts[name]
                others = [part for part in named if part not in parts]
                if len(others) + len(parts) > len(named):
                    raise DamagedFile(f"parts of {file} are published no more")
                self._retired[file] = time.monotonic()
        except DamagedFile:
            return
        self.bytes_written += self._inspection.remember(file)
        all_parts = {**self._manifest.parts, name: (*others, Part(file, rows, *span, level))}
        self._swap(Manifest(self._manifest.version + 1, now_ms(), self._manifest.entries, all_parts))

    def _undamaged(self, file: str, columns: Sequence[str] | None, span: CoinSpan | None) -> pa.Table:
        table = self.table(file, columns, span)
        if table is None:
            raise DamagedFile(f"{file} is published no more")
        return table

    def _write(self, file: str, table: pa.Table) -> None:
        """Write a file; until a manifest names it, it counts as retired."""
        self._retired[file] = time.monotonic()
        write_atomically(self.folder / file, table_bytes(table))
        self.bytes_written += self._inspection.remember(file)

    def _swap(self, manifest: Manifest) -> Manifest:
        """Replace the manifest; write its copy first, unless only an entry was replaced."""
        if self._is_manifest_foreign():
            self._set_aside(MANIFEST, DamagedFile("changed by another program"))
        old, content = self._manifest, manifest.to_json()
        if manifest.parts != old.parts or manifest.entries.keys() != old.entries.keys():
            write_json(self.folder / _COPY, content)
        write_json(self.folder / MANIFEST, content)
        self._inspection.remember(MANIFEST)
        named = manifest.files()
        self._retired.update(dict.fromkeys(old.files() - named, time.monotonic()))
        for file in named & self._retired.keys():
            del self._retired[file]
        self._manifest = manifest
        return manifest

    def _is_manifest_foreign(self) -> bool:
        """Whether another program changed the manifest since it was written."""
        return self._inspection.is_changed(MANIFEST) and self._manifest.version > 0

    def _recover(self) -> Manifest:
        """Read the manifest, or its copy if it is damaged or missing; no version is given out twice."""
        for name in (MANIFEST, _COPY):
            try:
                manifest = Manifest.from_json(read_json(self.folder / name))
            except FileNotFoundError:
                continue
            except DamagedFile as error:
                self._set_aside(name, error)
            else:
                self._inspection.remember(MANIFEST)
                if name == MANIFEST:
                    return manifest
                return replace(manifest, version=max(manifest.version, self._newest_version()))
        return Manifest()

    def _newest_version(self) -> int:
        """The highest version in the name of a file; a manifest that is older has lost its successors."""
        versions = (path.stem.rpartition("-")[2] for path in self.folder.rglob("*.parquet"))
        return max((int(version) for version in versions if version.isdecimal()), default=0)

    def _drop(self, bad: Mapping[str, Exception]) -> None:
        """Set damaged files aside and publish without them."""
        old = self._manifest
        for file, error in bad.items():
            self._set_aside(file, error)
        entries = {name: entry for name, entry in old.entries.items() if entry.file not in bad}
        parts = {name: tuple(part for part in parts if part.file not in bad) for name, parts in old.parts.items()}
        if bad:
            self._swap(Manifest(old.version + 1, now_ms(), entries, parts))

    def _set_aside(self, file: str, error: Exception) -> None:
        self.damaged = [*self.damaged, file][-MOST_NAMED:]
        path = self.folder / file
        name = set_aside(path, self.folder).name if path.exists() else "nothing: it is missing"
        _log.error("%s is damaged (%s): set aside as %s", file, error, name)

    def _retire_unnamed(self) -> None:
        """Retire files that no manifest names, which a crash left.

        If manifest and copy were both lost, the tables are all that is left: they are kept beside the folder.
        """
        if not self._manifest.version:
            self._keep_beside()
        named = self._manifest.files()
        for path in self.folder.rglob("*"):
            file = path.relative_to(self.folder).as_posix()
            if path.is_file() and path.suffix in (".parquet", ".tmp") and file not in named:
                self._retired[file] = time.monotonic()

    def _keep_beside(self) -> None:
        tables = [path for path in self.folder.iterdir() if path.is_dir() or path.suffix == ".parquet"]
        if tables:
            aside = move_aside(self.folder, tables)
            _log.error("no manifest names the tables in %s: they are kept in %s", self.folder, aside.name)


def _part_file(name: str, span: tuple[int, int], level: str, version: int) -> str:
    start = to_datetime(span[0])
    return f"{name}/{start:%Y-%m-%d}/{level}-{start:%H%M}-{version:09d}.parquet"
