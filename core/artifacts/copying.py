"""Copies of a publication between a folder and a bucket: all files first, then the manifest that names them."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from core.artifacts.bucket import Bucket, Content
from core.aside import set_aside
from core.errors import DamagedFile, Overtaken, StorageProblem
from core.files import delete_if_free, json_object, read_bytes, read_json, write_atomically, write_json
from core.publishing.inspection import Inspection
from core.publishing.manifest import MANIFEST, Manifest
from core.publishing.parquet import MOST_TABLE_BYTES, check_content, check_footer, check_whole
from core.publishing.publisher import KEEP_S
from core.wording import message

__all__ = ["Download", "Upload", "writer_of"]

_WRITER: Final = "writer"
_AT_ONCE: Final = 8
_LOOK_EVERY_S: Final = 3600.0

_OURS: Final = (".parquet", ".tmp")

_log = logging.getLogger(__name__)


class Upload:
    """Copies what a folder publishes into a bucket, as its one writer.

    Args:
        bucket: where to.
        folder: the published folder, whose one publisher works in this process.
        writer: name of this folder among all that were ever copied into the bucket.
    """

    def __init__(self, bucket: Bucket, folder: Path, writer: str) -> None:
        self._bucket = bucket
        self._folder = folder
        self._writer = writer
        self._stored: set[str] | None = None
        self._looked = 0.0
        self._tag: str | None = None
        self._unnamed = _Unnamed()

    def copy(self) -> int:
        """Copy the newest publication.

        Returns:
            The number of bytes sent.

        Raises:
            StorageProblem: the store does not answer or refuses; the next call goes on.
            Overtaken: another folder is published there.
            OSError, DamagedFile: the folder cannot be read now.
        """
        manifest = Manifest.from_json(read_json(self._folder / MANIFEST))
        if time.monotonic() - self._looked >= _LOOK_EVERY_S:
            self._stored = None
        stored = self._look() if self._stored is None else self._stored
        self._stored = None  # until all is done: what a call that failed has changed is not known
        named = manifest.files()
        sent = sum(_at_once(self._send, sorted(named - stored)))
        content = _written(manifest.to_json(), self._writer)
        self._tag = self._bucket.swap(MANIFEST, content, self._tag)
        self._stored = stored | named
        due = self._unnamed.due(self._stored - named)
        self._bucket.delete(due)
        self._stored.difference_update(due)
        return sent + len(content)

    def _look(self) -> set[str]:
        """Learn what is stored; the store may lose objects, for instance by a rule that lets them expire.

        Raises:
            Overtaken: another folder is published there.
        """
        found = self._bucket.find(MANIFEST)
        if found is not None and writer_of(found.data) != self._writer:
            raise Overtaken(message("artifacts.overtaken"))
        self._tag = None if found is None else found.tag
        self._looked = time.monotonic()
        return self._bucket.names() - {MANIFEST}

    def claim(self, found: Content) -> None:
        """Take over from another writer, whose publication `found` the folder now continues.

        Raises:
            Overtaken: there is a newer one by now.
            StorageProblem: as `copy`.
        """
        self._bucket.swap(MANIFEST, _written(json_object(found.data, MANIFEST), self._writer), found.tag)

    def _send(self, file: str) -> int:
        content = read_bytes(self._folder / file, MOST_TABLE_BYTES)
        self._bucket.create(file, content)
        return len(content)


class Download:
    """Copies the newest publication of a bucket into a folder, of which this process is the one writer.

    A file that no manifest names, here or there, is deleted `KEEP_S` after it was first seen so, whether the copies
    succeed or not: the folder holds the newest publication, and what was superseded in `KEEP_S` and one publication.
    """

    def __init__(self, bucket: Bucket, folder: Path) -> None:
        self._bucket = bucket
        self._folder = folder
        self._tag: str | None = None
        self._inspection = Inspection(folder)
        self._unnamed = _Unnamed()

    def copy(self) -> Content | None:
        """Fetch what is new; None if nothing is.

        Raises:
            StorageProblem: the store does not answer, refuses or has lost a file; what was copied before stays.
            DamagedFile: the manifest cannot be understood, or a file is no table that can be read safely.
            OSError: the disk refuses.
        """
        try:
            found = self._bucket.read(MANIFEST, self._tag)
        except FileNotFoundError:  # nothing is published
            return None
        if found is None:
            return None
        manifest = Manifest.from_json(json_object(found.data, MANIFEST))
        named = manifest.files()
        try:
            self._set_damaged_aside(named)
            _at_once(self._fetch, sorted(file for file in named if not (self._folder / file).exists()))
            write_json(self._folder / MANIFEST, manifest.to_json())
        except FileNotFoundError as error:
            if self._is_newest(found):
                raise StorageProblem(message("artifacts.incomplete")) from error
            return None
        finally:
            self._sweep(named)
        self._tag = found.tag
        return found

    def _is_newest(self, manifest: Content) -> bool:
        """Whether no newer publication supersedes the files of this one."""
        try:
            return self._bucket.read(MANIFEST, manifest.tag) is None
        except FileNotFoundError:
            return False

    def _set_damaged_aside(self, named: set[str]) -> None:
        """Let files be fetched again that are damaged here: those that have changed are checked, and one other in turn.

        What cannot be read now says nothing about its content, and keeps nothing new from coming.
        """
        here = {file for file in named if (self._folder / file).exists()}
        self._inspection.forget_others(here)
        check = check_footer if self._tag is None else check_whole
        with suppress(OSError):
            for file, error in self._inspection.damaged(here, check, max_unchanged=1).items():
                aside = set_aside(self._folder / file, self._folder)
                _log.error("%s is damaged (%s): set aside as %s and fetched again", file, error, aside.name)

    def _sweep(self, named: set[str]) -> None:
        """Delete what neither the manifest here nor the newest one has named for long enough, and empty folders."""
        kept = named | self._named_here()
        present = {path for path in self._folder.rglob("*") if path.suffix in _OURS}
        unnamed = {path.relative_to(self._folder).as_posix() for path in present} - kept
        for file in self._unnamed.due(unnamed):
            delete_if_free(self._folder / file, self._folder)

    def _named_here(self) -> set[str]:
        try:
            return Manifest.from_json(read_json(self._folder / MANIFEST)).files()
        except (FileNotFoundError, DamagedFile):
            return set()

    def _fetch(self, file: str) -> int:
        found = self._bucket.read(file, most_bytes=MOST_TABLE_BYTES)
        content = b"" if found is None else found.data
        check_content(content, file)
        write_atomically(self._folder / file, content)
        return self._inspection.remember(file)


class _Unnamed:
    """Files that the newest manifest does not name: readers with an older one may still fetch them for `KEEP_S`."""

    def __init__(self) -> None:
        self._since: dict[str, float] = {}

    def due(self, files: set[str]) -> list[str]:
        """Those of the files now without a name that have been without one for long enough to delete them."""
        now = time.monotonic()
        self._since = {file: self._since.get(file, now) for file in files}
        return [file for file, since in self._since.items() if now - since > KEEP_S]


def writer_of(manifest: bytes) -> str | None:
    """Name of the folder that wrote a manifest."""
    name = json_object(manifest, MANIFEST).get(_WRITER)
    return None if name is None else str(name)


def _written(manifest: Mapping[str, Any], writer: str) -> bytes:
    return json.dumps({**manifest, _WRITER: writer}, separators=(",", ":")).encode()


def _at_once(action: Callable[[str], int], files: list[str]) -> list[int]:
    """Run an action for several files at a time; the first failure is raised when all have ended."""
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        return list(threads.map(action, files))
