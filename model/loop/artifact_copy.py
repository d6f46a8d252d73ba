"""Copies what the pipeline publishes and learns into a bucket, beside the cycles, which never wait for it."""

from __future__ import annotations

import secrets
import time
from pathlib import Path
from typing import Final

from core.artifacts.background import Background
from core.artifacts.bucket import Bucket, Content
from core.artifacts.copying import Download, Upload, writer_of
from core.aside import move_aside
from core.errors import DamagedFile, Overtaken, StorageProblem
from core.files import file_stamp, json_object, read_json, write_json
from core.publishing.manifest import MANIFEST, Manifest
from core.wording import Message, message
from core.workspace import PIPELINE_LOCK
from model.loop.model_copy import ModelCopy

__all__ = ["ArtifactCopy", "continue_publication"]

STILL_S: Final = 90.0
"""Seconds without a publication of the other writer after which this one takes over."""

_LOOK_EVERY_S: Final = 0.2
_RETRY_S: Final = 1.0
_TRIES: Final = 5
"""Publications that the other pipeline may make while this one takes over."""

_SPARE: Final = 1_000
"""Versions left to another pipeline that does not know yet that it was replaced: a cycle makes a few."""

_NAME: Final = "writer.json"
_NEWEST: Final = "writer"
_BEFORE: Final = "before"


class ArtifactCopy:
    """Copies each publication of a folder into a bucket, and the newest model if `models` is given.

    While another folder is published there, nothing is copied; `takes_over` tells when that has ended.

    Attributes:
        bytes_sent: since the start.
    """

    def __init__(self, bucket: Bucket, folder: Path, models: ModelCopy | None = None, still_s: float = STILL_S) -> None:
        self.bytes_sent = 0
        self._bucket = bucket
        self._models = models
        self._manifest = folder / MANIFEST
        self._upload = Upload(bucket, folder, _own_name(folder))
        self._copied: tuple[int, int, int] | None = None
        self._still_s = still_s
        self._other: tuple[str, float] | None = None
        self._background = Background(self._look, _LOOK_EVERY_S, _RETRY_S)

    @property
    def problem(self) -> Message | str | None:
        """Why the newest publication is not copied; None if all is well."""
        return self._background.problem

    @property
    def takes_over(self) -> bool:
        """Whether the other writer is silent: open the folder again by `continue_publication`."""
        return self._other is not None and time.monotonic() - self._other[1] > self._still_s

    def close(self) -> None:
        """Stop copying; safe to call twice."""
        self._background.close()

    def _look(self) -> None:
        stamp = file_stamp(self._manifest)
        if not any(stamp) or stamp == self._copied:
            return
        try:
            self.bytes_sent += self._upload.copy()
            if self._models is not None:
                self.bytes_sent += self._models.copy()
        except Overtaken:
            self._watch_other()
            raise
        self._copied, self._other = stamp, None

    def _watch_other(self) -> None:
        """Note since when the other writer is silent, by this machine's monotonic clock."""
        found = self._bucket.find(MANIFEST)
        tag = "" if found is None else found.tag
        if self._other is None or self._other[0] != tag:
            self._other = (tag, time.monotonic())


def continue_publication(bucket: Bucket, folder: Path) -> None:
    """Let a folder go on from what is published in the bucket, under a new name, and nobody else under the last one.

    Where another folder was published last, or a copy of this one that has gone on, what this one had published is
    moved aside. The lock of the folder must be held, and no publisher be open.

    Raises:
        StorageProblem: the store does not answer, refuses or has lost a file; what the folder has published stays.
        Overtaken: the other one has published meanwhile.
        DamagedFile: the manifest there cannot be understood.
        OSError: the disk refuses.
    """
    found = bucket.find(MANIFEST)
    if found is None:
        _give_name(folder)
    elif _is_own(found, folder):
        upload = Upload(bucket, folder, _give_name(folder, before=writer_of(found.data)))
        _give_no_version_twice(bucket, folder)
        upload.claim(found)
    else:
        _take_over(bucket, folder, found)


def _is_own(found: Content, folder: Path) -> bool:
    """Whether a publication is of this folder: it has its name, and the folder has published it or a newer one."""
    if writer_of(found.data) not in _names(folder):
        return False
    try:
        newest = Manifest.from_json(read_json(folder / MANIFEST))
    except (FileNotFoundError, DamagedFile):
        return False
    return Manifest.from_json(json_object(found.data, MANIFEST)).version <= newest.version


def _take_over(bucket: Bucket, folder: Path, found: Content) -> None:
    if not Manifest.from_json(json_object(found.data, MANIFEST)).files() <= bucket.names():
        raise StorageProblem(message("artifacts.incomplete"))
    if (folder / MANIFEST).exists():
        move_aside(folder, (path for path in folder.iterdir() if path.name not in (_NAME, PIPELINE_LOCK)))
    download, upload = Download(bucket, folder), Upload(bucket, folder, _give_name(folder))
    for _ in range(_TRIES):
        content = download.copy()
        if content is None:  # superseded while it was fetched
            continue
        _give_no_version_twice(bucket, folder)
        if _claims(upload, content):
            return
    raise Overtaken(message("artifacts.overtaken"))


def _claims(upload: Upload, content: Content) -> bool:
    """Whether the publication is this folder's now; not if the other pipeline has published a newer one meanwhile."""
    try:
        upload.claim(content)
    except Overtaken:
        return False
    return True


def _give_no_version_twice(bucket: Bucket, folder: Path) -> None:
    """Count on well beyond the newest file that is stored: another pipeline may be storing its next ones now."""
    stored = (Path(file).stem.rpartition("-")[2] for file in bucket.names())
    newest = max((int(version) for version in stored if version.isdecimal()), default=0)
    manifest = read_json(folder / MANIFEST)
    write_json(folder / MANIFEST, {**manifest, "version": max(newest, int(manifest["version"])) + _SPARE})


def _own_name(folder: Path) -> str:
    """The newest name of a folder among all that are copied into one bucket."""
    names = _names(folder)
    return names[0] if names else _give_name(folder)


def _names(folder: Path) -> list[str]:
    """The newest name of a folder, and the one before if the newest may not have reached the bucket."""
    try:
        stored = read_json(folder / _NAME)
    except (FileNotFoundError, DamagedFile):
        return []
    return [str(stored[key]) for key in (_NEWEST, _BEFORE) if stored.get(key)]


def _give_name(folder: Path, before: str | None = None) -> str:
    """Give a folder a new name, which no copy of it has."""
    name = secrets.token_hex(8)
    write_json(folder / _NAME, {_NEWEST: name, _BEFORE: before})
    return name
