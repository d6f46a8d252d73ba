"""The health file: it beats while its process gets on, and rests while it does not."""

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


def test_the_beat_rests_without_progress(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """A main loop that stands still is told to the log with the places it stands at; its next step revives the beat."""
    with Heartbeat(tmp_path, COLLECTOR, patience_s=0.5) as beat:
        beat.state(ProcessState.RUNNING)
        _until(lambda: "the heartbeat pauses" in caplog.text)
        last = read_health(tmp_path, COLLECTOR).heartbeat_at
        assert "test_the_beat_rests_without_progress" in capfd.readouterr().err

        def beats_again() -> bool:
            beat.progress()
            return read_health(tmp_path, COLLECTOR).heartbeat_at != last

        _until(beats_again)


def test_without_patience_given_the_beat_goes_on(tmp_path: Path) -> None:
    """A process that only waits for its end, such as the local market server, is not told to hang."""
    with Heartbeat(tmp_path, SIMULATOR) as beat:
        beat.state(ProcessState.RUNNING)
        first = read_health(tmp_path, SIMULATOR).heartbeat_at
        _until(lambda: read_health(tmp_path, SIMULATOR).heartbeat_at != first)
