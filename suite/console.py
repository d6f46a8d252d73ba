"""The output of run_all.py: log lines of each process with its name and colour, and messages of the suite."""

from __future__ import annotations

import io
import os
import sys
import threading
from typing import Final, TextIO

from core.wording import Message, say

__all__ = ["Console"]

_COLOURS: Final = ("36", "32", "35", "34", "96", "92")
_WARNING: Final = "1;33"
_ERROR: Final = "1;31"
_NAME_WIDTH: Final = 9


class Console:
    """Writes whole lines to one stream from any thread, in colour on a terminal.

    When the pipe or terminal is closed it stops writing, and the suite runs on.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = sys.stdout if stream is None else stream
        if isinstance(self._stream, io.TextIOWrapper):
            self._stream.reconfigure(errors="replace")
        self._colourful = _wants_colour(self._stream)
        self._colours: dict[str, str] = {}
        self._lock = threading.Lock()
        self._closed = False

    def log(self, name: str, line: str) -> None:
        """Print a line of the process `name`."""
        with self._lock:
            colour = self._colours.setdefault(name, _COLOURS[len(self._colours) % len(_COLOURS)])
            self._write(f"{self._paint(f'{name:<{_NAME_WIDTH}} |', colour)} {line}")

    def say(self, text: Message | str) -> None:
        """Print a message of the suite, of one or several lines."""
        with self._lock:
            self._write(say(text))

    def warn(self, text: Message | str) -> None:
        """Print a warning."""
        self._say_in_colour(text, _WARNING)

    def fail(self, text: Message | str) -> None:
        """Print an error."""
        self._say_in_colour(text, _ERROR)

    def _say_in_colour(self, text: Message | str, colour: str) -> None:
        with self._lock:
            self._write("\n".join(self._paint(line, colour) for line in say(text).splitlines()))

    def _paint(self, text: str, colour: str) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self._colourful else text

    def _write(self, text: str) -> None:
        if self._closed:
            return
        try:
            self._stream.write(text + "\n")
            self._stream.flush()
        except (OSError, ValueError):
            self._closed = True


def _wants_colour(stream: TextIO) -> bool:
    """Whether to use colour: on a terminal that understands the codes, unless NO_COLOR is set."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" or not stream.isatty():
        return False
    return os.name != "nt" or any(name in os.environ for name in ("WT_SESSION", "TERM", "ANSICON"))
