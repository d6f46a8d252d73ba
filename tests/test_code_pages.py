"""Every command says what it is in the code page of an old console, where characters are missing."""

from __future__ import annotations

import io
import sys
from importlib import import_module
from typing import Final

import pytest

from core.processes.lifecycle import run_main

pytestmark = pytest.mark.slow

COMMANDS: Final = (
    "etl.extract",
    "etl.transform",
    "etl.simulator",
    "model.train",
    "model.predict",
    "model.score",
    "model.pipeline",
    "model.backtest",
    "model.first_backtest",
    "api.server",
    "alerts.__main__",
    "mcp_server.__main__",
    "core.backup",
    "core.migrate_store",
    "suite.main",
    "bench.__main__",
)
UNWRAPPED: Final = ("bench.__main__", "etl.simulator")
"""Their modules wrap `main` where they are started."""

ENCODINGS: Final = ("cp437", "cp850", "cp1252", "ascii")


def _run(command: str, word: str, encoding: str, monkeypatch: pytest.MonkeyPatch) -> tuple[object, str]:
    """Run a command in this process, in a console as strict as Windows makes it; its exit code and what it said."""
    screens = io.BytesIO(), io.BytesIO()
    out, error = (io.TextIOWrapper(screen, encoding=encoding, write_through=True) for screen in screens)
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", error)
    monkeypatch.setattr(sys, "argv", [command, word])
    main = import_module(command).main
    try:
        code = run_main(main) if command in UNWRAPPED else main()
    except SystemExit as ended:
        code = ended.code
    return code, b"".join(screen.getvalue() for screen in screens).decode(encoding)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_speaks_in_every_code_page(command: str, encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It explains itself and refuses an option that it does not know; what is missing becomes a question mark."""
    code, said = _run(command, "--help", encoding, monkeypatch)
    assert code == 0
    assert "--help" in said
    if command == "bench.__main__":  # it passes options on, to a process of its own
        return
    code, said = _run(command, "--preço→₿", encoding, monkeypatch)
    assert code == 2
    assert "--help" in said
