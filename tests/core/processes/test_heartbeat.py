"""The heartbeat continues while the main loop advances and pauses while it hangs."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from core.processes.health_schema import COLLECTOR, SIMULATOR, ProcessState
from core.processes.heartbeat import Heartbeat, read_health

PATIENCE_S = 20.0


def _until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_the_heartbeat_pauses_without_progress(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """A hung main loop is logged with the stack of each thread; its next step resumes the heartbeat."""
    with Heartbeat(tmp_path, COLLECTOR, patience_s=0.5) as beat:
        beat.state(ProcessState.RUNNING)
        _until(lambda: "the heartbeat pauses" in caplog.text)
        last = read_health(tmp_path, COLLECTOR).heartbeat_at
        assert "test_the_heartbeat_pauses_without_progress" in capfd.readouterr().err

        def beats_again() -> bool:
            beat.progress()
            return read_health(tmp_path, COLLECTOR).heartbeat_at != last

        _until(beats_again)


def test_without_a_patience_the_heartbeat_never_pauses(tmp_path: Path) -> None:
    """A process without a main loop, such as the local market server, does not count as hung."""
    with Heartbeat(tmp_path, SIMULATOR) as beat:
        beat.state(ProcessState.RUNNING)
        first = read_health(tmp_path, SIMULATOR).heartbeat_at
        _until(lambda: read_health(tmp_path, SIMULATOR).heartbeat_at != first)
