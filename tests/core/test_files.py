"""Only regular files of a bounded length are read, and a file that somebody has open is deleted later."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import DamagedFile
from core.files import SMALL_FILE_BYTES, delete_if_free, json_object, read_bytes, read_json
from tests.support.odd_files import make_link, make_pipe
from tests.support.refusals import refusal


def test_a_pipe_is_refused_without_waiting_for_who_writes_to_it(tmp_path: Path) -> None:
    """Also behind a link."""
    make_pipe(tmp_path / "pipe")
    make_link(tmp_path / "link", "pipe")
    for name in ("pipe", "link"):
        with refusal(DamagedFile, f"{name} não é um arquivo comum"):
            read_json(tmp_path / name)


def test_a_folder_and_a_file_of_gigabytes_are_refused(tmp_path: Path) -> None:
    """The length is known before anything is read."""
    with (tmp_path / "long").open("wb") as file:
        file.truncate(SMALL_FILE_BYTES + 1)
    for path in (tmp_path, tmp_path / "long"):
        with pytest.raises(DamagedFile):
            read_bytes(path)
    assert len(read_bytes(tmp_path / "long", SMALL_FILE_BYTES + 1)) == SMALL_FILE_BYTES + 1


@pytest.mark.parametrize("content", [b"[" * 100_000, b"[1]", b"\xff", b"9" * 5000, b"null", b""])
def test_what_is_no_json_object_is_damage(content: bytes) -> None:
    """Deep nesting, other values, wrong bytes, and numbers that Python does not convert."""
    with pytest.raises(DamagedFile):
        json_object(content, "state.json")


def test_a_file_that_is_open_elsewhere_is_deleted_later(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A refusal is told to the caller, who tries again; a file that is gone already counts as deleted."""
    path = tmp_path / "old.parquet"
    path.write_bytes(b"")
    with monkeypatch.context() as windows:
        windows.setattr(Path, "unlink", _refuse)
        assert not delete_if_free(path)
    assert delete_if_free(path)
    assert delete_if_free(path)
    assert not path.exists()


def _refuse(path: Path, **_: object) -> None:
    raise PermissionError(13, "The process cannot access the file", str(path))
