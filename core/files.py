"""Files that are complete or absent: atomic writes, reading JSON, moving and deleting."""

from __future__ import annotations

import json
import logging
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeVar

from core.errors import DamagedFile
from core.wording import message

__all__ = [
    "SMALL_FILE_BYTES",
    "check_regular",
    "check_writable",
    "database_logs",
    "delete_if_free",
    "file_stamp",
    "json_object",
    "make_folder",
    "move",
    "read_bytes",
    "read_json",
    "refuses_writing",
    "remove_temporaries",
    "replacing",
    "sync_folder",
    "write_atomically",
    "write_json",
]

SMALL_FILE_BYTES: Final = 16 * 2**20
"""Most that is read of a manifest, a state or a list of rules; ten times what 5,000 coins make of them."""

_TRIES = 10
_OPEN_FILES_REFUSE = os.name == "nt"
_MIN_FREE_BYTES = 16 * 1024
_Result = TypeVar("_Result")

_log = logging.getLogger(__name__)


def database_logs(database: Path) -> tuple[Path, ...]:
    """What SQLite may keep beside a database, and would take for that of the next one of its name."""
    return tuple(database.with_name(f"{database.name}-{kind}") for kind in ("journal", "wal", "shm"))


def write_atomically(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Replace the file at `path` so that a reader sees the old content or the new one, never a part.

    With `durable` this also holds after a power loss: fsync of the file, rename, fsync of the folder.

    Raises:
        OSError: the disk is full, read-only or gone; the old file is unchanged.
    """
    with replacing(path, durable=durable) as file:
        file.write(content)


@contextmanager
def replacing(path: Path, *, durable: bool = True) -> Iterator[BinaryIO]:
    """Open a file that replaces the one at `path` when the block ends, as `write_atomically` does.

    It takes the content in parts, however long that takes; nothing is left of it if the block fails.

    Raises:
        OSError: the disk is full, read-only or gone; the old file is unchanged.
    """
    make_folder(path.parent)
    handle, temporary_name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    temporary = Path(temporary_name)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            if durable:
                os.fsync(file.fileno())
        _patiently(lambda: temporary.replace(path))
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if durable:
        sync_folder(path.parent)


def make_folder(folder: Path) -> None:
    """Make a folder and its parents where they are missing, so that they outlive a power loss.

    A file that was synced is still lost if the name of its new folder was not: each parent of a new folder is synced.
    """
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for place in reversed(missing):
        sync_folder(place.parent)


def write_json(path: Path, value: object, *, durable: bool = True) -> None:
    """Write `value` as UTF-8 JSON, atomically."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    write_atomically(path, text.encode(), durable=durable)


def check_regular(path: Path, most_bytes: int) -> None:
    """Refuse what would wait, never end or be too much to read: a pipe, a device, a folder, a longer file.

    Raises:
        DamagedFile: it is one of these.
        OSError: it is missing, or cannot be looked at now.
    """
    status = _patiently(path.stat)
    if not stat.S_ISREG(status.st_mode):
        raise DamagedFile(message("files.not_regular", file=path.name))
    if status.st_size > most_bytes:
        raise DamagedFile(message("files.too_large", file=path.name, found=status.st_size, most=most_bytes))


def read_bytes(path: Path, most_bytes: int = SMALL_FILE_BYTES) -> bytes:
    """Read a file that another process may be replacing at this moment.

    Raises:
        DamagedFile: it is no regular file, or longer than `most_bytes`.
        OSError: it is missing, or cannot be read now.
    """
    check_regular(path, most_bytes)
    return _patiently(path.read_bytes)


def read_json(path: Path) -> dict[str, Any]:
    """Read the JSON object at `path`.

    Raises:
        FileNotFoundError: the file does not exist.
        DamagedFile: the file is not a JSON object.
        OSError: it cannot be read now; its content may be fine.
    """
    return json_object(read_bytes(path), path.name)


def json_object(content: bytes, name: str) -> dict[str, Any]:
    """Parse the JSON object that is the content of the file `name`.

    Raises:
        DamagedFile: it is not a JSON object.
    """
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:  # wrong bytes or syntax, huge numbers, deep nesting
        raise DamagedFile(f"{name}: not JSON ({error})") from error
    if not isinstance(value, dict):
        raise DamagedFile(f"{name}: not a JSON object")
    return value


def remove_temporaries(folder: Path, name: str = "") -> None:
    """Delete temporary files that a crash inside `write_atomically` left for names that begin with `name`.

    Only the one writer of those files may call this, before its first write, or who starts their writers.
    """
    for path in folder.glob(f".{name}*.tmp"):
        path.unlink(missing_ok=True)


def move(path: Path, target: Path) -> None:
    """Give a file or folder another name on the same disk, once nobody has it open on Windows.

    Raises:
        OSError: the disk refuses, or it stays open for half a second.
    """
    _patiently(partial(path.rename, target))


def delete_if_free(path: Path, root: Path | None = None) -> bool:
    """Delete a file that may be gone already; whether it is. Windows keeps one that somebody has open: try again.

    With `root`, a folder below it goes with its last file.
    """
    folder = path.parent
    try:
        path.unlink(missing_ok=True)
        if root is not None and folder != root and folder.exists() and not any(folder.iterdir()):
            folder.rmdir()
    except OSError as error:
        _log.warning("cannot delete %s yet: %s", path.name, error)
        return False
    return True


def file_stamp(path: Path) -> tuple[int, int, int]:
    """Inode, modification time in ns and size, which change with the content; zeros if there is no file."""
    try:
        status = path.stat()
    except OSError:
        return (0, 0, 0)
    return status.st_ino, status.st_mtime_ns, status.st_size


def check_writable(folder: Path) -> None:
    """Write a little to a temporary file in `folder`, which vanishes at once.

    Raises:
        OSError: the disk is full, read-only or gone.
    """
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(bytes(_MIN_FREE_BYTES))


def refuses_writing(folder: Path) -> bool:
    """Whether the disk of `folder` is full, read-only or gone, for processes that must not write themselves."""
    try:
        return not os.access(folder, os.W_OK) or shutil.disk_usage(folder).free < _MIN_FREE_BYTES
    except OSError:
        return True


def sync_folder(folder: Path) -> None:
    """Let names that appeared in or vanished from a folder outlive a power loss; Windows has no call for it."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _patiently(action: Callable[[], _Result]) -> _Result:
    """Run `action`; on Windows retry for half a second while another process has the file open.

    Windows neither replaces nor renames an open file, nor opens one that is being replaced. Readers, virus scanners
    and backups hold a file for moments. On other systems a refusal is final.
    """
    for attempt in range(_TRIES - 1):
        try:
            return action()
        except PermissionError:
            if not _OPEN_FILES_REFUSE:
                raise
            time.sleep(0.01 * 2 ** min(attempt, 3))
    return action()
