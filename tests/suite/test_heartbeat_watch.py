"""Processes whose heartbeat has stopped are detected, without false alarms."""

from __future__ import annotations

import resource
from collections.abc import Callable
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


def beats(path: Path, pid: int, at: float) -> None:
    """Write a health file as the process `pid` does, at `at` on its monotonic clock."""
    write_json(path, {"pid": pid, "heartbeat_monotonic": at})


@pytest.fixture
def watched(tmp_path: Path) -> tuple[HeartbeatWatch, Clock]:
    """A watch of a process with one heartbeat, at second 0."""
    clock = Clock()
    watch = HeartbeatWatch(tmp_path / "alvo.json", 300, 60, 90, clock)
    watch.begin(7)
    beats(tmp_path / "alvo.json", 7, 1.0)
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


@pytest.mark.parametrize(
    "lose",
    [
        Path.unlink,
        lambda path: path.write_text("{"),
        lambda path: beats(path, 8, 2.0),
    ],
    ids=["deleted", "damaged", "of another process"],
)
def test_a_lost_health_file_is_silence(
    watched: tuple[HeartbeatWatch, Clock], tmp_path: Path, lose: Callable[[Path], object]
) -> None:
    """Without its file a process is silent since its last heartbeat was seen, whenever the file was lost."""
    assert looks(*watched, until=30) == {}
    lose(tmp_path / "alvo.json")
    assert looks(*watched, until=92) == {61: False, 91: True, 92: True}


def test_a_file_that_is_written_again_ends_the_silence(watched: tuple[HeartbeatWatch, Clock], tmp_path: Path) -> None:
    """A process whose file was lost goes on with its next heartbeat, even one that is earlier than the last."""
    (tmp_path / "alvo.json").unlink()
    assert looks(*watched, until=70) == {61: False}
    beats(tmp_path / "alvo.json", 7, 0.5)
    assert looks(*watched, until=130) == {}
    assert looks(*watched, until=161) == {131: False, 161: True}


@pytest.mark.parametrize("pid_before", [None, 6, 7])
def test_a_start_has_a_patience_of_its_own(tmp_path: Path, pid_before: int | None) -> None:
    """Before its first heartbeat a process has five minutes more; the file of the one before it tells nothing.

    That one may have had the same pid: a container counts them from 1 again.
    """
    clock = Clock()
    watch = HeartbeatWatch(tmp_path / "alvo.json", 300, 60, 90, clock)
    if pid_before is not None:
        beats(tmp_path / "alvo.json", pid_before, 1.0)
    watch.begin(7)
    assert looks(watch, clock, until=390) == {360: False, 390: True}


def test_a_slow_start_is_not_reported(tmp_path: Path) -> None:
    """A first heartbeat after five minutes is in time, and the usual limits count from it."""
    clock = Clock()
    watch = HeartbeatWatch(tmp_path / "alvo.json", 300, 60, 90, clock)
    watch.begin(7)
    assert looks(watch, clock, until=300) == {}
    beats(tmp_path / "alvo.json", 7, 299.0)
    assert looks(watch, clock, until=391) == {361: False, 391: True}


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
