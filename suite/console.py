"""The output of run_all.py: log lines of each process with its name, and messages of the suite, as text or as JSON."""

from __future__ import annotations

import io
import json
import os
import sys
import threading
from typing import Final, TextIO

from core.logs import LogFormat, json_line
from core.wording import Message, say
from suite.log_file import LogFile

__all__ = ["Console"]

_COLOURS: Final = ("36", "32", "35", "34", "96", "92")
_WARNING: Final = "1;33"
_ERROR: Final = "1;31"
_NAME_WIDTH: Final = 9
_OWN_NAME: Final = "suite"


class Console:
    """Writes whole lines to one stream, and to a file, from any thread; text in colour on a terminal.

    When the pipe or terminal is closed it writes to it no more, and the suite runs on.
    """

    def __init__(
        self, stream: TextIO | None = None, *, log_format: LogFormat = "text", file: LogFile | None = None
    ) -> None:
        self._stream = sys.stdout if stream is None else stream
        if isinstance(self._stream, io.TextIOWrapper):
            self._stream.reconfigure(errors="replace")
        self._as_json = log_format == "json"
        self._file = file
        self._colourful = _wants_colour(self._stream)
        self._colours: dict[str, str] = {}
        self._lock = threading.Lock()
        self._closed = False

    def log(self, name: str, line: str) -> None:
        """Print a line of the process `name`."""
        with self._lock:
            if self._as_json:
                self._write(_with_process(name, line))
                return
            colour = self._colours.setdefault(name, _COLOURS[len(self._colours) % len(_COLOURS)])
            prefix = f"{name:<{_NAME_WIDTH}} |"
            self._write(f"{prefix} {line}", f"{self._paint(prefix, colour)} {line}")

    def say(self, text: Message | str) -> None:
        """Print a message of the suite, of one or several lines."""
        self._say(text, "info")

    def warn(self, text: Message | str) -> None:
        """Print a warning."""
        self._say(text, "warning", _WARNING)

    def fail(self, text: Message | str) -> None:
        """Print an error."""
        self._say(text, "error", _ERROR)

    def _say(self, text: Message | str, level: str, colour: str | None = None) -> None:
        words = say(text)
        with self._lock:
            if self._as_json:
                self._write(json_line(level, words, process=_OWN_NAME))
            else:
                painted = "\n".join(self._paint(line, colour) for line in words.splitlines()) if colour else words
                self._write(words, painted)

    def _paint(self, text: str, colour: str) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self._colourful else text

    def _write(self, plain: str, painted: str | None = None) -> None:
        if self._file is not None:
            self._file.write(plain)
        if self._closed:
            return
        try:
            self._stream.write((painted or plain) + "\n")
            self._stream.flush()
        except (OSError, ValueError):
            self._closed = True


def _with_process(name: str, line: str) -> str:
    """A line of a child as a JSON record that names the child; a plain line, as Streamlit's, becomes its message."""
    try:
        record = json.loads(line)
    except ValueError:
        record = None
    if isinstance(record, dict):
        return json.dumps({"process": name, **record}, ensure_ascii=False)
    return json_line("info", line, process=name)


def _wants_colour(stream: TextIO) -> bool:
    """Whether to use colour: on a terminal that understands the codes, unless NO_COLOR is set."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" or not stream.isatty():
        return False
    return os.name != "nt" or any(name in os.environ for name in ("WT_SESSION", "TERM", "ANSICON"))
