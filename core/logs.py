"""Logging to standard output, one line per record, as text or as JSON; the supervisor adds the process's name."""

from __future__ import annotations

import json
import logging
import sys
import time
from datetime import UTC, datetime
from typing import Any, Final, Literal

__all__ = ["LogFormat", "RepeatFilter", "configure_logging", "json_line"]

LogFormat = Literal["text", "json"]

_REPEAT_AFTER_S: Final = 60.0
_OF_EVERY_RECORD: Final = frozenset({*vars(logging.makeLogRecord({})), "message", "asctime", "color_message"})
"""Attributes that a record has without `extra`; the last one is uvicorn's."""


class RepeatFilter(logging.Filter):
    """Lets the same message of a logger pass once a minute."""

    def __init__(self) -> None:
        super().__init__()
        self._logged_at: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether this message was not logged in the last minute."""
        message, now = record.getMessage(), time.monotonic()
        self._logged_at = {text: at for text, at in self._logged_at.items() if now - at < _REPEAT_AFTER_S}
        return self._logged_at.setdefault(message, now) == now


class _Formatter(logging.Formatter):
    """Adds the id of the request that a record belongs to (`extra={"request_id": …}`)."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name in the standard library
        line = super().formatMessage(record)
        request_id = getattr(record, "request_id", "")
        return f"{line} [request {request_id}]" if request_id else line


class _JsonFormatter(logging.Formatter):
    """One JSON object per record: what `extra` gives becomes fields of its own."""

    def format(self, record: logging.LogRecord) -> str:
        extra = {name: value for name, value in vars(record).items() if name not in _OF_EVERY_RECORD}
        fields = {"logger": record.name, **extra}
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return json_line(record.levelname.lower(), record.getMessage(), record.created, **fields)


def json_line(level: str, text: str, at_s: float | None = None, **fields: Any) -> str:
    """A log record as one line of JSON.

    Args:
        level: in lower case.
        text: the message.
        at_s: seconds since 1970; now by default.
        fields: what else is known; values that JSON does not have become text.
    """
    moment = datetime.fromtimestamp(time.time() if at_s is None else at_s, UTC).isoformat(timespec="milliseconds")
    record = {"time": moment, "level": level, "message": text, **fields}
    return json.dumps(record, ensure_ascii=False, default=str)


def configure_logging(level: str, log_format: LogFormat = "text", handler: logging.Handler | None = None) -> None:
    """Send records of `level` and above to standard output, or `handler`; noisy libraries only from WARNING up."""
    handler = handler or logging.StreamHandler(sys.stdout)
    text = _Formatter("%(asctime)s %(levelname)-7s %(message)s", datefmt="%H:%M:%S")
    handler.setFormatter(_JsonFormatter() if log_format == "json" else text)
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
    for noisy in ("urllib3", "filelock"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
