"""Log lines of requests carry their id, and the same message is written once a minute."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from core.logs import RepeatFilter, configure_logging


def test_a_repeated_message_passes_once() -> None:
    """Of equal messages one passes in a minute; another message is not held back."""
    once = RepeatFilter()
    records = [logging.makeLogRecord({"msg": text}) for text in ("a", "a", "b", "a")]
    assert [once.filter(record) for record in records] == [True, False, True, False]


@pytest.fixture
def restored() -> Iterator[None]:
    """The root logger as it was, after a test that sets it up."""
    root = logging.getLogger()
    before = root.level, root.handlers[:]
    yield
    root.setLevel(before[0])
    root.handlers[:] = before[1]
    logging.captureWarnings(capture=False)


@pytest.mark.usefixtures("restored")
def test_the_id_of_a_request_ends_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    """A record of a request ends with the request's id, another one does not."""
    configure_logging("INFO")
    log = logging.getLogger("test_logs")
    log.error("cannot read", extra={"request_id": "trace-7"})
    log.error("cannot write")
    first, second = capsys.readouterr().out.splitlines()
    assert first.endswith("cannot read [request trace-7]")
    assert second.endswith("cannot write")


@pytest.mark.usefixtures("restored")
def test_a_json_record_is_one_line_with_its_fields(capsys: pytest.CaptureFixture[str]) -> None:
    """Time in UTC, level, logger and message, what `extra` gave, and a whole traceback, without a line break."""
    configure_logging("INFO", "json")
    log = logging.getLogger("test_logs")
    log.info("lê %s\n%s", "ç", 2, extra={"request_id": "trace-7", "path": Path("a")})
    try:
        raise ValueError("broken")
    except ValueError:
        log.exception("failed")
    first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert datetime.fromisoformat(first.pop("time")).utcoffset() == timedelta(0)
    assert first == {
        "level": "info",
        "message": "lê ç\n2",
        "logger": "test_logs",
        "request_id": "trace-7",
        "path": "a",
    }
    assert second["level"] == "error"
    assert second["exception"].splitlines()[-1] == "ValueError: broken"
