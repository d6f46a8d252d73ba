"""Who is silent for too long, and who only seems to be."""

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
        """The time set."""
        return self.now


@pytest.fixture
def watched(tmp_path: Path) -> tuple[HeartbeatWatch, Clock]:
    """A watch of a process that has beaten once, at second 0."""
    clock = Clock()
    watch = HeartbeatWatch(tmp_path / "alvo.json", 60, 90, clock)
    write_json(tmp_path / "alvo.json", {"pid": 7, "heartbeat_monotonic": 1.0})
    watch.begin(7)
    clock.now = 1.0
    assert watch.look() is None
    return watch, clock


def looks(watch: HeartbeatWatch, clock: Clock, until: int) -> dict[float, bool]:
    """What the watch said second by second: when, and whether it was overdue."""
    said = {}
    while clock.now < until:
        clock.now += 1
        if watch.look() is not None:
            said[clock.now] = watch.overdue
    return said


def test_silence_is_said_once_and_then_overdue(watched: tuple[HeartbeatWatch, Clock]) -> None:
    """A minute without a beat is announced once, a minute and a half means overdue."""
    assert looks(*watched, until=92) == {61: False, 91: True, 92: True}


def test_a_pause_of_the_watcher_is_not_held_against_others(watched: tuple[HeartbeatWatch, Clock]) -> None:
    """A laptop that slept for an hour wakes without declaring anybody dead; later silence counts from then."""
    watch, clock = watched
    clock.now = 3600.0
    assert watch.look() is None
    assert looks(watch, clock, until=3690) == {3660: False, 3690: True}


def test_a_full_disk_is_not_held_against_others(watched: tuple[HeartbeatWatch, Clock]) -> None:
    """Where nothing can be written a heartbeat that stands still proves nothing."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
    try:
        said = looks(*watched, until=300)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert said == {}
