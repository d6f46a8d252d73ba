"""Writes lines to a stream from a thread of its own, so that nobody waits for a reader that has paused."""

from __future__ import annotations

import errno
import io
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final, NamedTuple, TextIO

__all__ = ["StreamWriter"]

_MAX_LINES: Final = 1000
_ROOM_S: Final = 0.5
_LAST_LINES_S: Final = 2.0
_TRY_AGAIN_S: Final = 0.05
_CLOSED: Final = (errno.EPIPE, errno.EIO, errno.EBADF)


class _Line(NamedTuple):
    """A text, and how many lines are lost with it: itself, and those whose loss it tells."""

    text: str
    lines: int


class StreamWriter:
    """Takes lines from any thread and writes them in their order; `close` waits for the last ones.

    When the queue is full, who writes waits for as long as the stream takes lines. Once it takes none, lines are lost
    and counted, and so are those that a full disk refuses. A closed pipe or terminal is written to no more.

    Args:
        stream: where the lines go.
        notice: what stands in the place of so many lost lines.
    """

    def __init__(self, stream: TextIO, notice: Callable[[int], str]) -> None:
        self._put = _RawStream(stream).write if isinstance(stream, io.TextIOWrapper) else _putting_to(stream)
        self._notice = notice
        self._lines: deque[_Line] = deque()
        self._changed = threading.Condition()
        self._lost = 0
        self._paused = self._closed = self._ended = False
        self._thread = threading.Thread(target=self._run, name="output", daemon=True)
        self._thread.start()

    def write(self, text: str) -> None:
        """Write `text` as a line, soon; wait half a second at most, and only if the stream took lines just now."""
        with self._changed:
            if not self._has_room() and not self._paused:
                self._paused = not self._changed.wait_for(self._has_room, _ROOM_S)
            if self._closed:
                return
            if self._has_room():
                self._queue(f"{text}\n", 1)
            else:
                self._lost += 1

    def close(self) -> None:
        """Wait until all lines are written, two seconds at most."""
        with self._changed:
            self._ended = True
            if self._lost:
                self._queue("", 0)
            self._changed.notify_all()
        self._thread.join(_LAST_LINES_S)

    def _has_room(self) -> bool:
        return self._closed or len(self._lines) < _MAX_LINES

    def _queue(self, text: str, lines: int) -> None:
        told = f"{self._notice(self._lost)}\n" if self._lost else ""
        self._lines.append(_Line(told + text, self._lost + lines))
        self._lost = 0
        self._changed.notify_all()

    def _run(self) -> None:
        while (line := self._next()) is not None:
            try:
                self._put(line.text)
            except (OSError, ValueError) as error:
                self._lose(line, error)

    def _next(self) -> _Line | None:
        """Wait for a line; None once the end has come and no line is left."""
        with self._changed:
            self._paused = False
            self._changed.wait_for(lambda: self._lines or self._ended)
            if not self._lines:
                return None
            self._changed.notify_all()
            return self._lines.popleft()

    def _lose(self, line: _Line, error: OSError | ValueError) -> None:
        with self._changed:
            self._lost += line.lines
            if isinstance(error, ValueError) or error.errno in _CLOSED:
                self._closed = True
                self._lost = 0
                self._lines.clear()
            self._changed.notify_all()


class _RawStream:
    """A stream of a file, pipe or terminal without its buffers.

    They would keep what a full disk refuses, and their lock would be held by a thread that waits for a reader when
    the interpreter ends, which aborts it.
    """

    def __init__(self, stream: io.TextIOWrapper) -> None:
        self._raw: Any = getattr(stream.buffer, "raw", stream.buffer)
        self._encoding = stream.encoding
        self._is_cut = False

    def write(self, text: str) -> None:
        """Write `text` whole; on a line of its own, if the last one was cut by an error."""
        lines = ("\n" if self._is_cut else "") + text
        content = memoryview(lines.replace("\n", os.linesep).encode(self._encoding, "replace"))
        rest = content
        try:
            while rest:
                rest = rest[self._raw.write(rest) or self._wait() :]
        finally:
            self._is_cut = len(rest) > 0 and (self._is_cut or len(rest) < len(content))

    @staticmethod
    def _wait() -> int:
        """Let a descriptor that does not block get room."""
        time.sleep(_TRY_AGAIN_S)
        return 0


def _putting_to(stream: TextIO) -> Callable[[str], None]:
    def put(text: str) -> None:
        stream.write(text)
        stream.flush()

    return put
