"""What is moved out of the way for a person to look at: under a dated name beside it, the newest two of each kind."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from core.files import database_logs, delete_if_free, make_folder, move, sync_folder
from core.times import now_ms, to_datetime

__all__ = ["KEPT", "MOST_NAMED", "drop_older", "move_aside", "name_aside", "set_aside"]

KEPT: Final = 2
"""How many of a kind stay: a database can have gigabytes."""

MOST_NAMED: Final = 32
"""How many names of such files, the newest, a process keeps in memory and in its health file."""

_STAMP: Final = re.compile(r"\d{8}T\d{6,9}")


def set_aside(path: Path, root: Path | None = None) -> Path:
    """Rename a damaged file, with what SQLite keeps beside it, to a dated name beside it; older ones of its kind go.

    Args:
        path: the damaged file.
        root: the folder in which files of one kind are counted together, as `drop_older` does.

    Returns:
        The new path.
    """
    target = name_aside(path, "damaged")
    for part, moved in zip((path, *database_logs(path)), (target, *database_logs(target)), strict=True):
        with suppress(FileNotFoundError):
            move(part, moved)
    sync_folder(path.parent)
    drop_older(target, root)
    return target


def move_aside(folder: Path, paths: Iterable[Path]) -> Path:
    """Move what a folder holds, all or some, to a dated folder beside it; older ones of its kind go.

    Args:
        folder: where the paths are; itself it stays.
        paths: files and folders directly below it.

    Returns:
        The new folder.
    """
    aside = name_aside(folder, "before")
    make_folder(aside)
    for path in list(paths):
        move(path, aside / path.name)
    sync_folder(aside)
    sync_folder(folder)
    drop_older(aside)
    return aside


def name_aside(path: Path, why: str) -> Path:
    """The dated name beside `path` that a file or folder gets when it is moved out of the way."""
    stamp = to_datetime(now_ms()).strftime("%Y%m%dT%H%M%S%f")[:-3]
    return path.with_name(f"{path.name}.{why}-{stamp}")


def drop_older(newest: Path, root: Path | None = None) -> None:
    """Delete files or folders that were moved out of the way as `newest` was, but for it and the one before it.

    Names that differ in digits alone are one kind: published files and models carry their version.
    With `root`, the folders below it are searched too, and one that becomes empty goes.
    """
    folder = root or newest.parent
    kind = _kind(newest, folder)
    moments: dict[str, list[Path]] = {}
    for path in folder.rglob("*-*") if root else folder.glob("*-*"):
        found = _STAMP.search(path.name, path.name.rfind(".") + 1)
        if found and _kind(path, folder) == kind:
            moments.setdefault(found[0], []).append(path)
    moments.pop(_STAMP.findall(newest.name)[-1], None)
    for stamp in sorted(moments)[: 1 - KEPT]:
        for path in moments[stamp]:
            _delete(path, root)


def _kind(path: Path, folder: Path) -> str:
    name = path.relative_to(folder).as_posix()
    return re.sub(r"\d+", "", re.sub("-(journal|wal|shm)$", "", name))


def _delete(path: Path, root: Path | None) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        delete_if_free(path, root)
