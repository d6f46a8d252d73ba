"""Read-only connections to a price store in a file, shared by the threads of one process."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from core.files import file_stamp
from core.price_store.rows import StoreInfo
from core.price_store.sqlite.reader import SqliteReader

__all__ = ["SqlitePool"]

_IDLE_S: Final = 60.0


class _Idle(NamedTuple):
    """A connection that nobody borrows, to a file of this inode, since a moment of the monotonic clock."""

    inode: int
    reader: SqliteReader
    since_s: float


class SqlitePool:
    """Lends read-only connections and tells when the store has changed; thread-safe.

    Keeps one connection per peak concurrent borrower of the last minute, plus one for change detection (`PRAGMA
    data_version`): each has two open files and up to two megabytes of pages. When the database was replaced by another
    file, the old connections are closed.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._idle: deque[_Idle] = deque()
        self._watch: tuple[int, SqliteReader] | None = None
        self._watches_opened = 0
        self._lock = threading.Lock()

    @contextmanager
    def borrow(self) -> Iterator[SqliteReader]:
        """Lend a connection, for one thread at a time.

        Raises:
            NotReady: the database does not exist yet.
            DamagedFile: it cannot be read.
        """
        inode = self._inode()
        reader = self._idle_for(inode) or SqliteReader(self._path)
        try:
            yield reader
        except BaseException:
            reader.close()
            raise
        self._give_back(_Idle(inode, reader, time.monotonic()))

    def version(self) -> tuple[int, int]:
        """A value that changes with every commit to the database; valid in this process only.

        Costs microseconds.

        Raises:
            NotReady: the database does not exist yet.
            DamagedFile: it cannot be read.
        """
        with self._lock:
            inode = self._inode()
            if self._watch is None or self._watch[0] != inode:
                self._drop_watch()
                self._watch = (inode, SqliteReader(self._path))
                self._watches_opened += 1
            try:
                return self._watches_opened, self._watch[1].data_version()
            except BaseException:
                self._drop_watch()
                raise

    def info(self) -> StoreInfo:
        """Name, size and age of the file with its log."""
        stamps = [file_stamp(file) for file in (self._path, self._path.with_name(self._path.name + "-wal"))]
        updated_ms = max(modified_ns for _, modified_ns, _ in stamps) // 1_000_000
        return StoreInfo(self._path.name, sum(size for *_, size in stamps), updated_ms or None)

    def close(self) -> None:
        """Close idle connections; the pool can be used again."""
        with self._lock:
            self._drop_watch()
            while self._idle:
                self._idle.pop().reader.close()

    def _idle_for(self, inode: int) -> SqliteReader | None:
        """The connection to this file that was used last, or None."""
        with self._lock:
            while self._idle:
                idle = self._idle.pop()
                if idle.inode == inode:
                    return idle.reader
                idle.reader.close()
        return None

    def _give_back(self, idle: _Idle) -> None:
        """Keep a connection, and close those that nobody needed for a minute: they lie to the left."""
        with self._lock:
            self._idle.append(idle)
            while idle.since_s - self._idle[0].since_s > _IDLE_S:
                self._idle.popleft().reader.close()

    def _drop_watch(self) -> None:
        if self._watch is not None:
            self._watch[1].close()
            self._watch = None

    def _inode(self) -> int:
        """The inode of the file, 0 if there is none."""
        try:
            return self._path.stat().st_ino
        except OSError:
            return 0
