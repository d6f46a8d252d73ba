"""Files that are moved out of the way are kept for a person, the newest two of each kind."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.aside import drop_older, name_aside, set_aside


@pytest.fixture(autouse=True)
def moments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look at the clock is a second later than the one before."""
    clock = iter(range(1_767_225_600_000, 1_767_225_700_000, 1000))
    monkeypatch.setattr("core.aside.now_ms", lambda: next(clock))


def damage(path: Path, content: str, root: Path | None = None) -> Path:
    """Write a file with this content and set it aside."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return set_aside(path, root)


def test_the_newest_two_stay_with_what_belongs_to_them(tmp_path: Path) -> None:
    """A third database set aside takes the first one's place, -wal and -shm included."""
    for content in "abcd":
        for suffix in ("-wal", "-shm"):
            (tmp_path / f"crypto.db{suffix}").write_text(content)
        damage(tmp_path / "crypto.db", content)
    assert sorted(path.read_text() for path in tmp_path.iterdir()) == sorted("ccc" + "ddd")


def test_other_kinds_and_files_in_use_stay(tmp_path: Path) -> None:
    """Many damaged manifests take no database away, nor anything that was not set aside."""
    mine = [tmp_path / name for name in ("crypto.db", "crypto.db.damaged-by-me", "crypto.db-20260101T000000000")]
    for path in mine:
        path.write_text("in use")
    database = damage(tmp_path / "alerts.db", "rules")
    manifests = [damage(tmp_path / "manifest.json", str(number)) for number in range(4)]
    assert {*tmp_path.iterdir()} == {*mine, database, *manifests[2:]}


def test_files_with_a_version_in_their_name_are_one_kind(tmp_path: Path) -> None:
    """Each damaged model has another name: two of them stay all the same."""
    asides = [damage(tmp_path / f"model-2026010{number}T000000000.joblib", "") for number in range(5)]
    assert {*tmp_path.iterdir()} == {*asides[3:]}


def test_below_a_root_the_days_of_one_table_are_counted_together(tmp_path: Path) -> None:
    """Parts lie in a folder of each day, which goes with its last file; another table has two of its own."""
    scores = damage(tmp_path / "scores" / "2026-01-01" / "slot-0000-000000001.parquet", "", tmp_path)
    asides = [
        damage(tmp_path / "log" / f"2026-01-0{day}" / f"slot-0000-{day}.parquet", "", tmp_path) for day in (1, 2, 3)
    ]
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == {scores, *asides[1:]}
    assert not (tmp_path / "log" / "2026-01-01").exists()


def test_the_one_that_has_just_come_stays_after_the_clock_went_back(tmp_path: Path) -> None:
    """An earlier name is no reason to delete what nobody can have looked at yet."""
    for year in (2030, 2031):
        (tmp_path / f"crypto.db.damaged-{year}0101T000000000").touch()
    newest = damage(tmp_path / "crypto.db", "")
    assert {*tmp_path.iterdir()} == {newest, tmp_path / "crypto.db.damaged-20310101T000000000"}


def test_folders_go_with_what_they_hold(tmp_path: Path) -> None:
    """So do published tables that gave way to another machine's, also those of names without milliseconds."""
    folder = tmp_path / "processed"
    asides = [tmp_path / "processed.before-20251231T000000", *(name_aside(folder, "before") for _ in range(3))]
    for aside in asides:
        aside.mkdir()
        (aside / "latest-1.parquet").touch()
        drop_older(aside)
    assert {*tmp_path.iterdir()} == {*asides[2:]}
