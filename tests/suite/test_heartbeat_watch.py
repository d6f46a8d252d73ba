"""Processes whose heartbeat has stopped are detected, without false alarms."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from core.files import write_json
from suite.heartbeat_watch import HeartbeatWatch


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Give the time set."""
        return self.now


@pytest.fixture
def watched(tmp_path: Path) -> tuple[HeartbeatWatch, Clock]:
    """A watch of a process with one heartbeat, at second 0."""
    clock = Clock()
    watch = HeartbeatWatch(tmp_path / "alvo.json", 60, 90, clock)
    write_json(tmp_path / "alvo.json", {"pid": 7, "heartbeat_monotonic": 1.0})
    watch.begin(7)
    clock.now = 1.0
    assert watch.look() is None
    return watch, clock


def looks(watch: HeartbeatWatch, clock: Clock, until: int) -> dict[float, bool]:
    """Reports of the watch, one look per second: time → whether the process was overdue."""
    said = {}
    while clock.now < until:
        clock.now += 1
        if watch.look() is not None:
            said[clock.now] = watch.overdue
    return said


def test_silence_is_reported_once_and_then_overdue(watched: tuple[HeartbeatWatch, Clock]) -> None:
    """A minute without a heartbeat is reported once; after 90 s the process is overdue."""
    assert looks(*watched, until=92) == {61: False, 91: True, 92: True}


def test_a_pause_of_the_watcher_does_not_count_as_silence(watched: tuple[HeartbeatWatch, Clock]) -> None:
    """After an hour of sleep no process is overdue; silence is counted from the return."""
    watch, clock = watched
    clock.now = 3600.0
    assert watch.look() is None
    assert looks(watch, clock, until=3690) == {3660: False, 3690: True}


def test_silence_on_a_full_disk_is_not_reported(watched: tuple[HeartbeatWatch, Clock]) -> None:
    """If the folder cannot be written, a missing heartbeat is not reported."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
    try:
        said = looks(*watched, until=300)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert said == {}
