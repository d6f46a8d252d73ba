"""The file operations of a command below one folder, recorded by strace in the order in which the system did them."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple

__all__ = [
    "ACKNOWLEDGED",
    "Acknowledge",
    "Link",
    "MakeFolder",
    "Operation",
    "Rename",
    "Resize",
    "SyncFile",
    "SyncFolder",
    "Unlink",
    "Write",
    "record",
]

ACKNOWLEDGED: Final = "acknowledged"
"""The command writes numbers to this file of the folder; each one is a promise to the process that waits for it."""

_LONGEST_WRITE: Final = 100_000_000
_CALLS: Final = (
    "openat,write,pwrite64,lseek,ftruncate,rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,"
    "fsync,fdatasync,close"
)
_UNFOLLOWED: Final = (
    "writev,pwritev,pwritev2,truncate,fallocate,copy_file_range,sendfile,link,linkat,symlink,symlinkat,dup,dup2,dup3"
)
_LINE: Final = re.compile(r"^(\w+)\((.*)\)\s+= (-?\d+)", re.S)
_TEXT: Final = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')


class Link(NamedTuple):
    """A new empty file got this name."""

    path: PurePosixPath
    file: int


class MakeFolder(NamedTuple):
    """A new folder."""

    path: PurePosixPath


class Rename(NamedTuple):
    """A file got another name in its folder; what had that name is gone."""

    old: PurePosixPath
    new: PurePosixPath


class Unlink(NamedTuple):
    """A name is gone."""

    path: PurePosixPath


class Write(NamedTuple):
    """Bytes of a file from `offset` on."""

    file: int
    offset: int
    data: bytes


class Resize(NamedTuple):
    """A file was cut, or filled with zeros up to `size`."""

    file: int
    size: int


class SyncFile(NamedTuple):
    """All bytes of a file are on the disk."""

    file: int


class SyncFolder(NamedTuple):
    """All names of a folder are on the disk."""

    path: PurePosixPath


class Acknowledge(NamedTuple):
    """The command promised that everything up to `number` is stored."""

    number: int


Operation = Link | MakeFolder | Rename | Unlink | Write | Resize | SyncFile | SyncFolder | Acknowledge


@dataclass
class _Opened:
    path: PurePosixPath
    file: int | None
    """None for a folder."""
    position: int = 0


def record(command: Sequence[str], folder: Path, trace: Path, cwd: Path) -> list[Operation]:
    """Run a command and list what its main thread did to the files below `folder`; paths are relative to it.

    Raises:
        subprocess.CalledProcessError: the command failed.
        ValueError: it used a call that this module does not follow.
    """
    calls = f"trace={_CALLS},{_UNFOLLOWED}"
    words = ["strace", "--quiet=all", "-xx", "-s", str(_LONGEST_WRITE), "-e", calls, "-o", str(trace), *command]
    subprocess.run(words, check=True, cwd=cwd)
    with trace.open(encoding="ascii") as lines:
        return list(_Follower(folder).operations(lines))


class _Follower:
    """Follows descriptors and names, so that each operation says which file it meant."""

    def __init__(self, folder: Path) -> None:
        self._folder = PurePosixPath(folder)
        self._open: dict[int, _Opened] = {}
        self._files: dict[PurePosixPath, int] = {}
        self._made = 0

    def operations(self, lines: Iterator[str]) -> Iterator[Operation]:
        for line in lines:
            found = _LINE.match(line)
            if found is None or found[3].startswith("-"):  # a signal, or a call that the system refused
                continue
            call, words, result = found[1], found[2], int(found[3])
            if call == "openat":
                yield from self._opens(words, result)
            elif call in ("rename", "renameat", "renameat2", "unlink", "unlinkat", "mkdir", "mkdirat"):
                yield from self._names(call, words)
            elif call in _UNFOLLOWED.split(","):
                self._refuse_ours(call, words)
            else:
                yield from self._contents(call, words, result)

    def _opens(self, words: str, descriptor: int) -> Iterator[Operation]:
        path = self._inside(_texts(words)[0])
        self._open.pop(descriptor, None)
        if path is None:
            return
        if "O_DIRECTORY" in words or (path not in self._files and "O_CREAT" not in words):
            self._open[descriptor] = _Opened(path, None)
            return
        if "O_APPEND" in words:
            raise ValueError(f"{path} is appended to, which is not followed")
        if path not in self._files:
            self._made += 1
            self._files[path] = self._made
            if path.name != ACKNOWLEDGED:
                yield Link(path, self._made)
        elif "O_TRUNC" in words:
            yield Resize(self._files[path], 0)
        self._open[descriptor] = _Opened(path, self._files[path])

    def _names(self, call: str, words: str) -> Iterator[Operation]:
        paths = [self._inside(text) for text in _texts(words)]
        if paths[0] is None:
            return
        if call.startswith("mkdir"):
            yield MakeFolder(paths[0])
        elif call.startswith("unlink"):
            del self._files[paths[0]]
            yield Unlink(paths[0])
        else:
            new = paths[1]
            if new is None or new.parent != paths[0].parent:
                raise ValueError(f"{paths[0]} left its folder, which is not followed")
            self._files[new] = self._files.pop(paths[0])
            yield Rename(paths[0], new)

    def _contents(self, call: str, words: str, result: int) -> Iterator[Operation]:
        descriptor = int(words.split(",", 1)[0])
        opened = self._open.get(descriptor)
        if opened is None:
            return
        if call == "close":
            del self._open[descriptor]
        elif call in ("fsync", "fdatasync"):
            yield SyncFolder(opened.path) if opened.file is None else SyncFile(opened.file)
        elif opened.file is None:
            raise ValueError(f"{call} of the folder {opened.path}")
        elif call == "lseek":
            opened.position = result
        elif call == "ftruncate":
            yield Resize(opened.file, int(words.rpartition(",")[2]))
        else:
            yield self._written(opened, opened.file, call, words, result)

    @staticmethod
    def _written(opened: _Opened, file: int, call: str, words: str, result: int) -> Operation:
        data = _bytes(words)[:result]
        if opened.path.name == ACKNOWLEDGED:
            return Acknowledge(int(data))
        if call == "pwrite64":
            return Write(file, int(words.rpartition(",")[2]), data)
        opened.position += result
        return Write(file, opened.position - result, data)

    def _refuse_ours(self, call: str, words: str) -> None:
        first = words.split(",", 1)[0]
        ours = any(self._inside(text) is not None for text in _texts(words))
        if ours or (first.isdecimal() and int(first) in self._open):
            raise ValueError(f"{call} is not followed: {words[:80]}")

    def _inside(self, text: str) -> PurePosixPath | None:
        path = PurePosixPath(text)
        return path.relative_to(self._folder) if path.is_relative_to(self._folder) else None


def _bytes(words: str) -> bytes:
    found = _TEXT.search(words)
    return bytes.fromhex(found[1].replace("\\x", "")) if found else b""


def _texts(words: str) -> list[str]:
    return [bytes.fromhex(text.replace("\\x", "")).decode() for text in _TEXT.findall(words)]
