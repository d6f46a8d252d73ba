"""The manifest, which names the published files, and its reader."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import Field, TypeAdapter, ValidationError

from core.errors import DamagedFile, NotReady
from core.files import file_stamp, read_json
from core.publishing.file_cache import forget_files
from core.times import FOREVER_MS, iso
from core.wording import message

__all__ = ["MANIFEST", "Entry", "Manifest", "ManifestReader", "Part"]

MANIFEST: Final = "manifest.json"

_File = Annotated[str, Field(pattern=r"^([A-Za-z0-9_-]+/){0,4}[A-Za-z0-9_-]+\.parquet$", max_length=200)]
"""A path that leads to a file below the published folder, on any system."""

_Count = Annotated[int, Field(ge=0)]
_Moment = Annotated[int, Field(ge=0, le=253_402_300_799_999)]
"""UTC milliseconds, from 1970 to 9999."""


@dataclass(frozen=True)
class Entry:
    """A published table that is replaced as a whole."""

    file: _File
    rows: _Count
    updated_ms: _Moment


@dataclass(frozen=True)
class Part:
    """A file of a growing table, with the times of its first and last row; `level` is slot, hour or day."""

    file: _File
    rows: _Count
    start_ms: _Moment
    end_ms: _Moment
    level: str


@dataclass(frozen=True)
class Manifest:
    """All tables that are published at one time."""

    version: _Count = 0
    published_ms: _Moment = 0
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
        """Build a manifest from the values that `to_json` made.

        Raises:
            DamagedFile: a field is missing or has a wrong value, such as a file that lies elsewhere.
        """
        missing = {"version", "published_ms", "entries", "parts"} - value.keys()
        if missing:
            raise DamagedFile(f"{MANIFEST}: {min(missing)} is missing")
        try:
            return _MANIFEST.validate_python(value)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            raise DamagedFile(f"{MANIFEST}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error

    def newest_ms(self, name: str, now_ms: int) -> int:
        """The newest time in a growing table, or `now_ms` if that is earlier.

        Look-back windows end here, not at the wall clock: a fast clock would skip the newest parts.
        """
        return min(now_ms, max((part.end_ms for part in self.parts.get(name, ())), default=now_ms))

    def oldest_ms(self, name: str) -> int:
        """The oldest time in a growing table, FOREVER_MS if it has no part."""
        return min((part.start_ms for part in self.parts.get(name, ())), default=FOREVER_MS)

    def files(self) -> set[str]:
        """All files that the manifest names."""
        return {entry.file for entry in self.entries.values()} | {
            part.file for parts in self.parts.values() for part in parts
        }


_MANIFEST: Final = TypeAdapter(Manifest)


class ManifestReader:
    """Reads the newest manifest, again only when the file has changed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._path = folder / MANIFEST
        self._cached: tuple[tuple[int, int, int], Manifest] | None = None

    def key(self) -> tuple[int, int, int]:
        """A stamp that changes with each published manifest; costs one `stat`.

        Raises:
            NotReady: nothing was published yet.
        """
        stamp = file_stamp(self._path)
        if not any(stamp):
            raise NotReady(message("forecasts.none_published"))
        return stamp

    def current(self) -> Manifest:
        """Read the newest manifest, from the file only if it has changed.

        Raises:
            NotReady: nothing was published yet, or the manifest cannot be read now.
            DamagedFile: its content is damaged.
        """
        key = self.key()
        cached = self._cached
        if cached is None or cached[0] != key:
            try:
                known, cached = cached, (key, Manifest.from_json(read_json(self._path)))
            except FileNotFoundError as error:
                raise NotReady(message("forecasts.none_published")) from error
            except OSError as error:
                raise NotReady(
                    message("files.unreadable_now", file=MANIFEST, reason=error.strerror or str(error))
                ) from error
            if known is not None:
                forget_files({self.folder / file for file in known[1].files() - cached[1].files()})
            self._cached = cached
        return cached[1]
