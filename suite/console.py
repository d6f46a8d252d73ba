"""What run_all shows: log lines of every process under its name and colour, and the suite's own words."""

from __future__ import annotations

import io
import os
import sys
import threading
from typing import Final, TextIO

from core.wording import Message, say

__all__ = ["Console"]

_COLOURS: Final = ("36", "32", "35", "34", "96", "92")
_LOUD: Final = "1;33"
_ERROR: Final = "1;31"
_NAME_WIDTH: Final = 9


class Console:
    """Writes whole lines to one stream, from any thread; in colour only where a person watches a terminal.

    When nobody reads any more (a closed pipe or terminal) it falls silent: the suite goes on without it.
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
        """One line of the process `name`."""
        with self._lock:
            colour = self._colours.setdefault(name, _COLOURS[len(self._colours) % len(_COLOURS)])
            self._write(f"{self._paint(f'{name:<{_NAME_WIDTH}} |', colour)} {line}")

    def say(self, text: Message | str) -> None:
        """The suite's own words, one line or several."""
        with self._lock:
            self._write(say(text))

    def warn(self, text: Message | str) -> None:
        """Words that nobody should overlook."""
        self._say_in_colour(text, _LOUD)

    def fail(self, text: Message | str) -> None:
        """Something broke."""
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
    """Colour on a terminal, unless NO_COLOR is set or an old Windows console would show the codes."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" or not stream.isatty():
        return False
    return os.name != "nt" or any(name in os.environ for name in ("WT_SESSION", "TERM", "ANSICON"))
