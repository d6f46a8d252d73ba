"""Read-only connections to the price store, shared by the threads of one process."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.price_store import PriceReader

__all__ = ["PricePool"]

_Key = tuple[Path, int]


class PricePool:
    """Lends read-only connections and tells when the store has changed; thread-safe.

    Keeps one connection per peak concurrent borrower, plus one for change detection (`PRAGMA data_version`). When the
    database was replaced by another file, the old connections are closed.
    """

    def __init__(self) -> None:
        self._idle: deque[tuple[_Key, PriceReader]] = deque()
        self._watch: tuple[_Key, PriceReader] | None = None
        self._watches_opened = 0
        self._lock = threading.Lock()

    @contextmanager
    def borrow(self, path: Path) -> Iterator[PriceReader]:
        """Lend a connection to the database at `path`, for one thread at a time.

        Raises:
            NotReady: the database does not exist yet.
            DamagedFile: it cannot be read.
        """
        key = _key(path)
        reader = self._idle_for(key) or PriceReader(path)
        try:
            yield reader
        except BaseException:
            reader.close()
            raise
        self._idle.append((key, reader))

    def version(self, path: Path) -> tuple[int, int]:
        """A value that changes with every commit to the database at `path`; valid in this process only.

        Costs microseconds.

        Raises:
            NotReady: the database does not exist yet.
            DamagedFile: it cannot be read.
        """
        with self._lock:
            key = _key(path)
            if self._watch is None or self._watch[0] != key:
                self._drop_watch()
                self._watch = (key, PriceReader(path))
                self._watches_opened += 1
            try:
                return self._watches_opened, self._watch[1].data_version()
            except BaseException:
                self._drop_watch()
                raise

    def close(self) -> None:
        """Close idle connections; the pool can be used again."""
        with self._lock:
            self._drop_watch()
        while self._idle:
            self._idle.pop()[1].close()

    def _idle_for(self, key: _Key) -> PriceReader | None:
        while self._idle:
            try:
                held, reader = self._idle.pop()
            except IndexError:  # another thread took the last one
                return None
            if held == key:
                return reader
            reader.close()
        return None

    def _drop_watch(self) -> None:
        if self._watch is not None:
            self._watch[1].close()
            self._watch = None


def _key(path: Path) -> _Key:
    """The path with the inode of its file, 0 if there is none."""
    try:
        return path, path.stat().st_ino
    except OSError:
        return path, 0
