"""Power losses replayed: the model of the disk takes what was not synced, and the product's readers open the rest."""

from __future__ import annotations

import random
import shutil
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from bench.crash_states import Disk, Loss, lay_out
from bench.file_operations import Link, MakeFolder, Operation, Rename, Resize, SyncFile, SyncFolder, Unlink, Write
from bench.power_loss import replay

FOLDER, OLD, NEW = PurePosixPath(), PurePosixPath("file"), PurePosixPath(".file.tmp")
FIRST: list[Operation] = [Link(OLD, 1), Write(1, 0, b"old"), SyncFile(1), SyncFolder(FOLDER)]


def losses(*operations: Operation, draws: int = 60) -> set[bytes | None]:
    """What the file may hold after a power loss that follows these operations; None if it is gone."""
    disk = Disk()
    for operation in [*FIRST, *operations]:
        disk.do(operation)
    return {disk.after(Loss.ANYTHING, random.Random(draw)).get(OLD) for draw in range(draws)}


def test_a_file_renamed_before_it_was_synced_may_be_empty() -> None:
    """Without a sync, the new name may stand before an empty file; with it, the old or the new content is there."""
    change: list[Operation] = [Link(NEW, 2), Write(2, 0, b"new"), Rename(NEW, OLD)]
    assert b"" in losses(*change)
    assert losses(change[0], change[1], SyncFile(2), change[2]) == {b"old", b"new"}


def test_what_was_synced_stays() -> None:
    """Bytes stay once the file was synced, a new name once its folder was, and a removed one may come back before."""
    write = Write(1, 0, b"OLD")
    assert losses(write) == {b"old", b"OLD"}
    assert losses(write, SyncFile(1)) == {b"OLD"}
    assert losses(Unlink(OLD)) == {b"old", None}
    assert losses(Unlink(OLD), SyncFolder(FOLDER)) == {None}
    assert losses(Resize(1, 1)) == {b"old", b"o"}


def test_a_file_is_lost_with_its_folder() -> None:
    """A synced file in a new folder is lost until the parent of that folder was synced."""
    inner = PurePosixPath("day")
    disk = Disk()
    for operation in (MakeFolder(inner), Link(inner / "part", 1), Write(1, 0, b"x"), SyncFile(1), SyncFolder(inner)):
        disk.do(operation)
    assert disk.after(Loss.EVERYTHING, random.Random(0)) == {}
    disk.do(SyncFolder(FOLDER))
    assert disk.after(Loss.EVERYTHING, random.Random(0)) == {inner: None, inner / "part": b"x"}


def test_a_long_write_may_be_torn() -> None:
    """Of a write of many sectors any may be missing, and zeros stand where nothing was written."""
    disk = Disk()
    for operation in (Link(OLD, 1), SyncFolder(FOLDER), Write(1, 0, b"x" * 5120)):
        disk.do(operation)
    found = [disk.after(Loss.ANYTHING, random.Random(draw))[OLD] for draw in range(60)]
    assert any(content and b"\0" in content for content in found)


def test_what_is_left_is_laid_out(tmp_path: Path) -> None:
    """Files and folders of a state become those of the disk."""
    lay_out({PurePosixPath("day"): None, PurePosixPath("day/part"): b"x"}, tmp_path)
    assert (tmp_path / "day" / "part").read_bytes() == b"x"


NEEDS_STRACE = pytest.mark.skipif(shutil.which("strace") is None, reason="needs Debian's package strace")


@pytest.mark.slow
@NEEDS_STRACE
def test_a_merge_that_takes_several_steps_outlives_a_power_loss() -> None:
    """While the first hour of publications is merged two coins a step, every crash point opens."""
    found = replay("manifest and Parquet", 18, draws=1, stride=12)
    assert found.points == found.opened > 60, found.findings
    assert found.lost == 0


@pytest.mark.slow
@NEEDS_STRACE
def test_nothing_acknowledged_is_lost_with_the_power(run_bench: Any) -> None:
    """Some crash points of every writer: all open, and nothing acknowledged is missing."""
    said = run_bench("power_loss", "--share", "0.08", "--draws", "1", "--stride", "6")
    points, opened, lost = (int(figure.replace(",", "")) for figure in said.splitlines()[-1].split()[3:])
    assert points == opened > 60
    assert lost == 0
