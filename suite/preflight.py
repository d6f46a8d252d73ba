"""Checks before anything starts: the data folder is writable and unlocked, and both ports are free."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Final

import filelock

from core.errors import AlreadyRunning, Unavailable
from core.files import check_writable, remove_temporaries
from core.processes.health_schema import SUITE, ProcessState
from core.processes.heartbeat import read_health
from core.processes.lifecycle import hold_lock
from core.settings import Settings, Source
from core.wording import Message, message
from core.workspace import check_recording
from suite.ports import free_port, port_problem

__all__ = ["given_names", "lock_data_dir", "misspelt_variables", "refuse_busy_ports", "refuse_unreadable_recording"]

_ORPHANS_END_S: Final = 6.0
_RETRY_S: Final = 0.2
_PREFIX: Final = "CRYPTO_"
_ASSIGNED: Final = re.compile(r"^[ \t]*(?:export[ \t]+)?(\w+)[ \t]*=", re.MULTILINE)
"""A line of `.env` that gives a variable a value."""
_ALIKE: Final = 0.75
"""Likeness, as `difflib` computes it, from which a name counts as another one misspelt."""


def lock_data_dir(settings: Settings) -> filelock.BaseFileLock:
    """Take the lock of the data folder for as long as the suite runs; what killed writers left in run/ goes.

    Raises:
        AlreadyRunning: another suite runs in this folder.
        Unavailable: the folder cannot be written.
    """
    folder = settings.data_dir
    try:
        lock = hold_lock(settings.run_dir / "suite.lock", message("lock.suite"))
        check_writable(settings.run_dir)
        remove_temporaries(settings.run_dir)
        return lock
    except AlreadyRunning:
        pid = read_health(settings.run_dir, SUITE).pid
        raise AlreadyRunning(message("suite.already_running", folder=str(folder), pid=pid or "?")) from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise Unavailable(message("suite.folder_refuses", folder=str(folder), reason=reason)) from error


def refuse_unreadable_recording(settings: Settings) -> None:
    """Check that the recording can be read; the market server checks its content.

    Raises:
        ConfigurationError: the file does not exist or cannot be read.
    """
    if settings.source is Source.REPLAY and settings.replay is not None:
        check_recording(settings.replay)


def given_names() -> set[str]:
    """Names of the variables in the environment and in `.env`."""
    file = Settings.model_config.get("env_file")
    text = file.read_text(encoding="utf-8", errors="replace") if isinstance(file, Path) and file.is_file() else ""
    return {*os.environ, *_ASSIGNED.findall(text)}


def misspelt_variables(names: Iterable[str]) -> list[Message]:
    """A sentence for each `CRYPTO_…` name that is no setting but looks like one: it would be ignored in silence."""
    known = [name.upper() for name in Settings.model_fields]
    warnings = []
    for name in sorted(name.upper() for name in names if name.upper().startswith(_PREFIX)):
        own = name.removeprefix(_PREFIX)
        nearest = next(iter(get_close_matches(own, known, n=1, cutoff=_ALIKE)), own)
        if nearest != own:
            warnings.append(message("suite.misspelt", given=name, nearest=f"{_PREFIX}{nearest}"))
    return warnings


def refuse_busy_ports(settings: Settings) -> None:
    """Check that API and dashboard can listen; processes left by a killed suite get 6 s to end.

    Raises:
        Unavailable: a port is busy; the message names it, its owner and the option to choose another.
    """
    was_killed = read_health(settings.run_dir, SUITE).state not in (None, ProcessState.STOPPED)
    deadline = time.monotonic() + (_ORPHANS_END_S if was_killed else 0.0)
    while (problem := _port_problem(settings)) is not None:
        if time.monotonic() >= deadline:
            raise Unavailable(problem)
        time.sleep(_RETRY_S)


def _port_problem(settings: Settings) -> Message | None:
    ports = {"--api-port": settings.api_port, "--dashboard-port": settings.dashboard_port}
    for option, port in ports.items():
        reason = port_problem(settings.host, port)
        if reason is not None:
            service = message("process.api" if option == "--api-port" else "process.dashboard")
            free = free_port({*ports.values()})
            return message("suite.port", service=service, reason=reason, option=option, free=free)
    return None
