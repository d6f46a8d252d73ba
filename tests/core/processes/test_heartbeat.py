"""The heartbeat continues while the main loop advances and pauses while it hangs."""

from __future__ import annotations

import gc
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from core.aside import MOST_NAMED
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


def test_a_health_file_names_the_newest_damaged_files(tmp_path: Path) -> None:
    """However many were set aside over the months, a few dozen are named, and those still told keep their time."""
    with Heartbeat(tmp_path, COLLECTOR) as beat:
        beat.damaged(["manifest.json"])
        first = read_health(tmp_path, COLLECTOR).damaged["manifest.json"]
        for number in range(3 * MOST_NAMED):
            beat.damaged(["manifest.json", f"{number}.parquet"])
        named = read_health(tmp_path, COLLECTOR).damaged
        beat.damaged(["last.parquet"])
    assert list(named)[-1] == f"{3 * MOST_NAMED - 1}.parquet"
    assert len(named) == MOST_NAMED + 1
    assert named["manifest.json"] == first
    assert "manifest.json" not in read_health(tmp_path, COLLECTOR).damaged


def test_reading_health_files_again_and_again_leaves_nothing(tmp_path: Path) -> None:
    """Hundreds of records with other times, as a quarter of an hour has, take no memory once they are read."""
    with Heartbeat(tmp_path, COLLECTOR):
        pass
    path = tmp_path / "collector.json"
    record = json.loads(path.read_text())
    kept = []
    for round_ in range(2):
        for number in range(400):
            record["heartbeat_at"] = f"moment {number} of round {round_}"
            path.write_text(json.dumps(record))
            assert read_health(tmp_path, COLLECTOR).heartbeat_at == record["heartbeat_at"]
        gc.collect()
        kept.append(sys.getallocatedblocks())
    assert kept[1] - kept[0] < 100
