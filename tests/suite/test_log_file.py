"""The file of the suite's output is rotated, and a disk that refuses it stops nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from suite.log_file import LogFile


def test_the_file_is_rotated_and_the_oldest_goes(tmp_path: Path) -> None:
    """No file exceeds its size, only so many are kept, and the newest lines are all there in order."""
    path = tmp_path / "registros" / "suite.log"
    with LogFile(path, max_bytes=100, kept=2) as file:
        for number in range(40):
            file.write(f"linha {number:03}")
    files = [path.with_name("suite.log.2"), path.with_name("suite.log.1"), path]
    assert sorted(path.parent.iterdir()) == sorted(files)
    lines = [line for each in files for line in each.read_text(encoding="utf-8").splitlines()]
    assert lines == [f"linha {number:03}" for number in range(40 - len(lines), 40)]
    assert all(each.stat().st_size <= 100 for each in files)


def test_a_second_start_goes_on_with_the_file(tmp_path: Path) -> None:
    """What is there stays."""
    path = tmp_path / "suite.log"
    for text in ("antes", "depois"):
        with LogFile(path) as file:
            file.write(text)
    assert path.read_text(encoding="utf-8").splitlines() == ["antes", "depois"]


def test_a_file_that_cannot_be_opened_is_opened_later(tmp_path: Path) -> None:
    """What stands in its way is said and stops nothing; lines are written from when it is gone on."""
    folder = tmp_path / "registros"
    folder.write_text("", encoding="utf-8")
    with LogFile(folder / "suite.log") as file:
        assert file.problem is not None
        file.write("perdida")
        folder.unlink()
        file.write("guardada")
    assert (folder / "suite.log").read_text(encoding="utf-8") == "guardada\n"


@pytest.mark.skipif(sys.platform == "win32", reason="a file that is open stays there")
@pytest.mark.parametrize("away", [Path.unlink, lambda path: path.rename(f"{path}.antigo")], ids=["deleted", "moved"])
def test_a_file_that_was_taken_away_is_made_again(tmp_path: Path, away: Callable[[Path], object]) -> None:
    """The next line is in a new file of that name."""
    path = tmp_path / "suite.log"
    with LogFile(path) as file:
        file.write("antes")
        away(path)
        file.write("depois")
        assert path.read_text(encoding="utf-8") == "depois\n"


@pytest.mark.skipif(sys.platform != "linux", reason="needs /dev/full")
def test_a_full_disk_stops_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """Lines that cannot be written are left out in silence."""
    with LogFile(Path("/dev/full"), max_bytes=0) as file:
        for _ in range(3):
            file.write("x" * 10_000)
    assert capsys.readouterr() == ("", "")
