"""The exit code says whether the same start may succeed later."""

from __future__ import annotations

import errno
import os

import pytest

from core.errors import (
    EXIT_ALREADY_RUNNING,
    EXIT_CONFIGURATION,
    EXIT_DISK,
    EXIT_REFUSED,
    EXIT_UNAVAILABLE,
    AlreadyRunning,
    BadInput,
    ConfigurationError,
    CredentialProblem,
    StorageProblem,
    Unavailable,
)
from core.processes.lifecycle import run_main, run_step
from core.settings import PARENT_VARIABLE

CODES = (
    (Unavailable("the port is busy"), EXIT_UNAVAILABLE),
    (ConfigurationError("no such plan"), EXIT_CONFIGURATION),
    (CredentialProblem("no such key"), EXIT_CONFIGURATION),
    (BadInput("no such coin"), EXIT_CONFIGURATION),
    (AlreadyRunning("twice"), EXIT_ALREADY_RUNNING),
    (StorageProblem("refused"), EXIT_REFUSED),
    (OSError(errno.ENOSPC, "full"), EXIT_DISK),
)


@pytest.mark.parametrize(("error", "code"), CODES)
def test_each_error_has_its_exit_code(
    error: Exception, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line on standard error and the code of the class; a step that a person starts ends with 2 for all of them."""
    monkeypatch.setattr(os, "umask", lambda mask: mask)
    monkeypatch.delenv(PARENT_VARIABLE, raising=False)

    def fail() -> int:
        raise error

    assert run_main(fail) == code
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert run_step(fail) == EXIT_REFUSED
    monkeypatch.setenv(PARENT_VARIABLE, "1")
    assert run_step(fail) == code
