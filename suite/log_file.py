"""The file that run_all.py keeps of its output; it never grows without limit."""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import TracebackType
from typing import Final, Self

__all__ = ["LogFile"]

_MAX_BYTES: Final = 10_000_000
_KEPT: Final = 5


class LogFile:
    """Appends lines; a file that would grow beyond its size becomes `name.1`, and older ones go; a context manager.

    Lines that the disk refuses are lost, and the suite runs on. A file that cannot be opened is tried at each line, and
    one that was deleted or moved away is made again.

    Attributes:
        problem: why the file could not be opened at first.
    """

    def __init__(self, path: Path, max_bytes: int = _MAX_BYTES, kept: int = _KEPT) -> None:
        self._handler = _Handler(
            path, maxBytes=max_bytes, backupCount=kept, encoding="utf-8", errors="replace", delay=True
        )
        self.problem = self._handler.refusal()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):  # the last lines, on a full disk
            self._handler.close()

    def write(self, line: str) -> None:
        """Append a line; for one thread at a time or several."""
        self._handler.handle(logging.makeLogRecord({"msg": line}))


class _Handler(RotatingFileHandler):
    def refusal(self) -> OSError | None:
        """Open the file; the error if that fails."""
        try:
            self.stream = self._open()
        except OSError as error:
            return error
        return None

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record to the file that has the name now."""
        if self.stream is not None and not self._is_in_place(self.stream):
            with suppress(OSError):  # what a full disk refused before
                self.stream.close()
            self.stream = None
        super().emit(record)

    def _is_in_place(self, stream: TextIOWrapper) -> bool:
        try:
            return os.path.samestat(os.fstat(stream.fileno()), os.stat(self.baseFilename))  # noqa: PTH116
        except OSError as error:
            return not isinstance(error, FileNotFoundError)

    def _open(self) -> TextIOWrapper:
        Path(self.baseFilename).parent.mkdir(parents=True, exist_ok=True)
        return super()._open()

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name in the standard library
        """Leave the line out: to report a full disk, by a line for each line, would help nobody."""
