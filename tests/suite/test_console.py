"""Colours and closed pipes of the console, the banner, and when a browser is opened."""

from __future__ import annotations

import io
import json
import logging
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest

from core.settings import Settings
from core.workspace import open_workspace
from suite.banner import addresses, banner
from suite.browser import has_display
from suite.console import Console, ConsoleHandler
from suite.log_file import LogFile

WIDTH_OF_DATE: Final = len("2026-11-29 12:00:00-03:00 ")


class Terminal(io.StringIO):
    """A stream that claims to be a terminal."""

    def isatty(self) -> bool:
        """Claim to be a terminal."""
        return True


def test_the_console_uses_colour_only_on_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    """Colours appear on a terminal, but not in a file or with NO_COLOR."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    plain, coloured = io.StringIO(), Terminal()
    for stream in (plain, coloured):
        with Console(stream) as console:
            console.log("api", "olá")
    assert plain.getvalue() == "api       | olá\n"
    assert "\x1b[" in coloured.getvalue()
    monkeypatch.setenv("NO_COLOR", "1")
    silenced = Terminal()
    with Console(silenced) as console:
        console.log("api", "olá")
    assert silenced.getvalue() == plain.getvalue()


def test_the_console_survives_a_closed_pipe() -> None:
    """Writing to a closed pipe raises nothing."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w", encoding="utf-8") as stream, Console(stream) as console:
        console.say("ninguém lê")
        console.warn("ninguém lê")


def test_json_lines_name_their_process() -> None:
    """Records of children get the child's name, plain lines become messages, the suite's own texts records."""
    output = io.StringIO()
    with Console(output, log_format="json") as console:
        console.log(
            "api", '{"time": "2026-11-29T00:00:00.000+00:00", "level": "error", "message": "não lê", "status": 500}'
        )
        console.log("dashboard", "Traceback (most recent call last):")
        console.log("dashboard", "[1, 2]")
        console.warn("duas\nlinhas")
    records = [json.loads(line) for line in output.getvalue().splitlines()]
    assert records[0] == {
        "process": "api",
        "time": "2026-11-29T00:00:00.000+00:00",
        "level": "error",
        "message": "não lê",
        "status": 500,
    }
    told = [(record["process"], record["level"], record["message"]) for record in records[1:]]
    assert told == [
        ("dashboard", "info", "Traceback (most recent call last):"),
        ("dashboard", "info", "[1, 2]"),
        ("suite", "warning", "duas\nlinhas"),
    ]


def test_the_file_has_the_lines_without_colour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal in colour and a file in plain text get the same lines; a closed pipe does not end the file."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    path, terminal = tmp_path / "suite.log", Terminal()
    with LogFile(path) as file, Console(terminal, file=file) as console:
        console.log("api", "olá")
        terminal.close()
        console.fail("parou")
        console.fail("parou de novo")
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [line[WIDTH_OF_DATE:] for line in lines] == ["api       | olá", "parou", "parou de novo"]


def test_each_line_of_the_file_has_its_date(tmp_path: Path) -> None:
    """A file of months is read without its neighbours; a record of JSON has its time already."""
    path, began = tmp_path / "suite.log", datetime.now(UTC).replace(microsecond=0)
    with LogFile(path) as file:
        with Console(io.StringIO(), file=file) as console:
            console.log("api", "olá")
            console.say("duas\nlinhas")
        with Console(io.StringIO(), log_format="json", file=file) as console:
            console.say("fim")
    *text, record = path.read_text(encoding="utf-8").splitlines()
    for line in text:
        assert began <= datetime.fromisoformat(line[: WIDTH_OF_DATE - 1]) <= datetime.now(UTC)
    assert [line[WIDTH_OF_DATE:] for line in text] == ["api       | olá", "duas", "linhas"]
    assert json.loads(record)["message"] == "fim"


def test_records_of_the_suite_itself_are_printed_too(tmp_path: Path) -> None:
    """A record with a traceback is in the stream and in the file, each line with the name of the suite."""
    stream, path = io.StringIO(), tmp_path / "suite.log"
    with LogFile(path) as file, Console(stream, file=file) as console:
        ConsoleHandler(console).handle(logging.makeLogRecord({"msg": "não lê\nTraceback"}))
    assert stream.getvalue() == "suite     | não lê\nsuite     | Traceback\n"
    filed = [line[WIDTH_OF_DATE:] for line in path.read_text(encoding="utf-8").splitlines()]
    assert filed == stream.getvalue().splitlines()


@pytest.mark.parametrize(
    ("environment", "platform", "expected"),
    [
        ({"DISPLAY": ":0"}, "linux", True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "linux", True),
        ({}, "linux", False),
        ({"DISPLAY": ":0", "CI": "true"}, "linux", False),
        ({}, "darwin", True),
        ({"SSH_CONNECTION": "a b"}, "darwin", False),
        ({}, "win32", True),
    ],
)
def test_a_browser_needs_a_display(environment: dict[str, str], platform: str, expected: bool) -> None:
    """Pages open only if a person can see them."""
    assert has_display(environment, platform) is expected


def test_the_banner_names_addresses_source_and_folders(settings: Callable[..., Settings]) -> None:
    """The table names addresses, source, coins and folders; an IPv6 address is in brackets."""
    asked = settings(source="demo", seed=3, currency="brl")
    text = banner(asked, open_workspace(asked))
    for expected in (
        "http://127.0.0.1:8000/docs",
        "http://127.0.0.1:8501",
        "SIMULADA",
        "BRL",
        str(asked.data_dir / "demo"),
    ):
        assert expected in text
    assert addresses(settings(host="::1"))["api"] == "http://[::1]:8000"
