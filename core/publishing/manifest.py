"""The manifest, which names the published files, and its reader."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from core.errors import DamagedFile, NotReady
from core.files import file_stamp, read_json
from core.times import iso
from core.wording import message

__all__ = ["MANIFEST", "Entry", "Manifest", "ManifestReader", "Part"]

MANIFEST: Final = "manifest.json"


@dataclass(frozen=True)
class Entry:
    """A published table that is replaced as a whole."""

    file: str
    rows: int
    updated_ms: int


@dataclass(frozen=True)
class Part:
    """A file of a growing table, with the times of its first and last row; `level` is slot, hour or day."""

    file: str
    rows: int
    start_ms: int
    end_ms: int
    level: str


@dataclass(frozen=True)
class Manifest:
    """All tables that are published at one time."""

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
        """Build a manifest from the values that `to_json` made.

        Raises:
            DamagedFile: a field is missing or has the wrong type.
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

    def newest_ms(self, name: str, now_ms: int) -> int:
        """The newest time in a growing table, or `now_ms` if that is earlier.

        Look-back windows end here, not at the wall clock: a fast clock would skip the newest parts.
        """
        return min(now_ms, max((part.end_ms for part in self.parts.get(name, ())), default=now_ms))

    def files(self) -> set[str]:
        """All files that the manifest names."""
        return {entry.file for entry in self.entries.values()} | {
            part.file for parts in self.parts.values() for part in parts
        }


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
                cached = (key, Manifest.from_json(read_json(self._path)))
            except FileNotFoundError as error:
                raise NotReady(message("forecasts.none_published")) from error
            except OSError as error:
                raise NotReady(
                    message("files.unreadable_now", file=MANIFEST, reason=error.strerror or str(error))
                ) from error
            self._cached = cached
        return cached[1]
