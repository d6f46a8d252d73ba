"""What was made of published files, which never change: kept until the manifest that named them is replaced."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable
from pathlib import Path
from typing import Any, Concatenate, Final, Generic, ParamSpec, TypeVar

__all__ = ["MadeOfFile", "forget_files", "kept_of_files"]

_Arguments = ParamSpec("_Arguments")
_Value = TypeVar("_Value")


class MadeOfFile(Generic[_Arguments, _Value]):
    """A function of a file and of other values that remembers what it gave; thread-safe.

    Args:
        make: the function; two threads may call it for the same values.
        most: values that are kept; those that nobody asked for longest go first.
    """

    def __init__(self, make: Callable[Concatenate[Path, _Arguments], _Value], most: int) -> None:
        self._make = make
        self._most = most
        self._kept: OrderedDict[tuple[Hashable, ...], _Value] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, path: Path, *values: _Arguments.args, **named: _Arguments.kwargs) -> _Value:
        """Give what is kept, or make it."""
        key = (path, *values, *named.items())
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        made = self._make(path, *values, **named)
        with self._lock:
            self._kept[key] = made
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return made

    def __len__(self) -> int:
        """How many values are kept."""
        return len(self._kept)

    def forget(self, paths: Collection[Path]) -> None:
        """Drop what was made of these files."""
        with self._lock:
            for key in [key for key in self._kept if key[0] in paths]:
                del self._kept[key]


_ALL: Final[list[MadeOfFile[Any, Any]]] = []


def kept_of_files(
    most: int,
) -> Callable[[Callable[Concatenate[Path, _Arguments], _Value]], MadeOfFile[_Arguments, _Value]]:
    """Decorate a function whose first value is a published file: at most so many of its results are kept."""

    def decorate(make: Callable[Concatenate[Path, _Arguments], _Value]) -> MadeOfFile[_Arguments, _Value]:
        kept = MadeOfFile(make, most)
        _ALL.append(kept)
        return kept

    return decorate


def forget_files(paths: Collection[Path]) -> None:
    """Drop whatever was made of these files."""
    for kept in _ALL:
        kept.forget(paths)
