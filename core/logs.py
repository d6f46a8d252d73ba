"""Logging to standard output, one line per record; the supervisor adds the process's name and colour."""

from __future__ import annotations

import logging
import sys
import time
from typing import Final

__all__ = ["RepeatFilter", "configure_logging"]

_REPEAT_AFTER_S: Final = 60.0


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


def configure_logging(level: str) -> None:
    """Send records of `level` and above to standard output; noisy libraries only from WARNING up."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_Formatter("%(asctime)s %(levelname)-7s %(message)s", datefmt="%H:%M:%S"))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
    for noisy in ("urllib3", "filelock"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
