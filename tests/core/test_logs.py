"""Log lines of requests carry their id, and the same message is written once a minute."""

from __future__ import annotations

import logging

import pytest

from core.logs import RepeatFilter, configure_logging


def test_a_repeated_message_passes_once() -> None:
    """Of equal messages one passes in a minute; another message is not held back."""
    once = RepeatFilter()
    records = [logging.makeLogRecord({"msg": text}) for text in ("a", "a", "b", "a")]
    assert [once.filter(record) for record in records] == [True, False, True, False]


def test_the_id_of_a_request_ends_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    """A record of a request ends with the request's id, another one does not."""
    root = logging.getLogger()
    before = root.level, root.handlers[:]
    try:
        configure_logging("INFO")
        log = logging.getLogger("test_logs")
        log.error("cannot read", extra={"request_id": "trace-7"})
        log.error("cannot write")
    finally:
        root.setLevel(before[0])
        root.handlers[:] = before[1]
        logging.captureWarnings(capture=False)
    first, second = capsys.readouterr().out.splitlines()
    assert first.endswith("cannot read [request trace-7]")
    assert second.endswith("cannot write")
