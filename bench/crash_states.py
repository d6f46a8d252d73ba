"""Which files a disk may hold after a power loss, given the operations before it.

The model is that of ALICE (Pillai and others, "All File Systems Are Not Created Equal", OSDI 2014) and of CrashMonkey
(Mohan and others, OSDI 2018), without what one file system adds: bytes are certain once their file was synced, names
once their folder was. Before that each write may be there, in sectors of 512 bytes or not at all, whatever became of
the others; the names of a folder change in order.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import Final

from bench.file_operations import (
    Acknowledge,
    Link,
    MakeFolder,
    Operation,
    Rename,
    Resize,
    SyncFile,
    SyncFolder,
    Unlink,
    Write,
)

__all__ = ["Contents", "Disk", "Loss", "lay_out"]

_SECTOR: Final = 512
_KEPT: Final = 0.5
"""Chance that an operation which was not synced has reached the disk."""

_NameChange = Link | MakeFolder | Rename | Unlink
_ContentChange = Write | Resize
Contents = Mapping[PurePosixPath, bytes | None]
"""Path → content of a file, None for a folder."""


class Loss(StrEnum):
    """What a power loss takes of the operations that were not synced."""

    NOTHING = "nothing"
    EVERYTHING = "everything"
    ANYTHING = "anything"


class Disk:
    """What is on the disk for certain, and what may be there."""

    def __init__(self) -> None:
        self.acknowledged = 0
        self._names: dict[PurePosixPath, dict[PurePosixPath, int | None]] = defaultdict(dict)
        self._contents: dict[int, bytes] = {}
        self._late_names: dict[PurePosixPath, list[_NameChange]] = defaultdict(list)
        self._late_contents: dict[int, list[_ContentChange]] = defaultdict(list)

    def do(self, operation: Operation) -> None:
        """Take one operation in."""
        match operation:
            case Acknowledge(number):
                self.acknowledged = number
            case SyncFile(file):
                changes = self._late_contents.pop(file, [])
                self._contents[file] = _applied(self._contents.get(file, b""), changes)
            case SyncFolder(path):
                for change in self._late_names.pop(path, []):
                    _rename(self._names[path], change)
            case Write(file) | Resize(file):
                self._late_contents[file].append(operation)
            case Rename(_, path) | Link(path) | MakeFolder(path) | Unlink(path):
                self._late_names[path.parent].append(operation)

    def after(self, loss: Loss, chance: random.Random) -> Contents:
        """The files after a power loss at this moment."""
        found: dict[PurePosixPath, bytes | None] = {}
        self._collect(PurePosixPath(), loss, chance, found)
        return found

    def _collect(
        self, folder: PurePosixPath, loss: Loss, chance: random.Random, found: dict[PurePosixPath, bytes | None]
    ) -> None:
        names = dict(self._names.get(folder, {}))
        late = self._late_names.get(folder, [])
        kept = {Loss.NOTHING: len(late), Loss.EVERYTHING: 0}.get(loss)
        for change in late[: chance.randint(0, len(late)) if kept is None else kept]:
            _rename(names, change)
        for path, file in names.items():
            found[path] = None if file is None else self._content(file, loss, chance)
            if file is None:
                self._collect(path, loss, chance, found)

    def _content(self, file: int, loss: Loss, chance: random.Random) -> bytes:
        certain, late = self._contents.get(file, b""), self._late_contents.get(file, [])
        if loss is Loss.EVERYTHING:
            return certain
        return _applied(certain, late if loss is Loss.NOTHING else list(_survivors(late, chance)))


def lay_out(contents: Contents, folder: Path) -> None:
    """Write files and folders below `folder`, which is empty."""
    for path, content in contents.items():
        if content is None:
            (folder / path).mkdir()
        else:
            (folder / path).write_bytes(content)


def _rename(names: dict[PurePosixPath, int | None], change: _NameChange) -> None:
    match change:
        case Link(path, file):
            names[path] = file
        case MakeFolder(path):
            names[path] = None
        case Unlink(path):
            del names[path]
        case Rename(old, new):
            names[new] = names.pop(old)


def _survivors(changes: Sequence[_ContentChange], chance: random.Random) -> Iterator[_ContentChange]:
    """Any of the changes; a write whole, in some of its sectors, or not at all."""
    for change in changes:
        if chance.random() < _KEPT:
            yield change
        elif isinstance(change, Write) and chance.random() < _KEPT:
            for start in range(0, len(change.data), _SECTOR):
                if chance.random() < _KEPT:
                    yield Write(change.file, change.offset + start, change.data[start : start + _SECTOR])


def _applied(content: bytes, changes: Sequence[_ContentChange]) -> bytes:
    if not changes:
        return content
    held = bytearray(content)
    for change in changes:
        if isinstance(change, Resize):
            del held[change.size :]
            held.extend(bytes(change.size - len(held)))
        else:
            held.extend(bytes(max(0, change.offset - len(held))))
            held[change.offset : change.offset + len(change.data)] = change.data
    return bytes(held)
