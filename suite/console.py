"""The output of run_all.py: log lines of each process with its name, and messages of the suite, as text or as JSON."""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
from datetime import UTC, datetime
from types import TracebackType
from typing import Final, Self, TextIO

from core.logs import LogFormat, json_line
from core.wording import Message, message, say
from suite.log_file import LogFile
from suite.stream_writer import StreamWriter

__all__ = ["Console", "ConsoleHandler"]

_COLOURS: Final = ("36", "32", "35", "34", "96", "92")
_WARNING: Final = "1;33"
_ERROR: Final = "1;31"
_NAME_WIDTH: Final = 9
_OWN_NAME: Final = "suite"


class Console:
    """Writes whole lines to one stream, and to a file, from any thread; with colour on a terminal, dates in the file.

    Neither a reader that has paused nor a closed pipe stops the suite: then lines are lost in the stream alone. A
    context manager that waits for the last lines.
    """

    def __init__(
        self, stream: TextIO | None = None, *, log_format: LogFormat = "text", file: LogFile | None = None
    ) -> None:
        stream = sys.stdout if stream is None else stream
        self._as_json = log_format == "json"
        self._file = file
        self._colourful = _wants_colour(stream)
        self._colours: dict[str, str] = {}
        self._lock = threading.Lock()
        self._output = StreamWriter(stream, self._loss)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._output.close()

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
        plain, painted = self._forms(text, level, colour)
        with self._lock:
            self._write(plain, painted)

    def _forms(self, text: Message | str, level: str, colour: str | None) -> tuple[str, str]:
        """A message of the suite for the file and for the stream."""
        words = say(text)
        if self._as_json:
            record = json_line(level, words, process=_OWN_NAME)
            return record, record
        return words, "\n".join(self._paint(line, colour) for line in words.splitlines()) if colour else words

    def _loss(self, lines: int) -> str:
        return self._forms(message("suite.lines_lost", lines=lines), "warning", _WARNING)[1]

    def _paint(self, text: str, colour: str) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self._colourful else text

    def _write(self, plain: str, painted: str | None = None) -> None:
        if self._file is not None:
            self._file.write(plain if self._as_json else _dated(plain))
        self._output.write(painted or plain)


class ConsoleHandler(logging.Handler):
    """Prints the log records of this process among the lines of the others."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record, of one or several lines."""
        for line in self.format(record).split("\n"):
            self._console.log(_OWN_NAME, line)


def _dated(text: str) -> str:
    """Each line after date and time of this machine."""
    moment = datetime.now(UTC).astimezone().isoformat(" ", "seconds")
    return "\n".join(f"{moment} {line}" for line in text.split("\n"))


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
