"""A manifest names files below its own folder, with counts and times that can be; anything else is damage."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest

from core.errors import DamagedFile, NotReady
from core.files import read_json
from core.publishing.manifest import MANIFEST, Manifest, ManifestReader
from core.publishing.parquet import read_table
from core.publishing.publisher import Publisher
from tests.support.odd_files import make_pipe


def published(folder: Path) -> Publisher:
    """A folder with a table that is replaced and one that grows."""
    publisher = Publisher(folder)
    table = pa.table({"value": [1]})
    publisher.publish({"latest": table}, {"log": (0, 0, table)})
    return publisher


@pytest.mark.parametrize(
    "file",
    [
        "../crypto.db",
        "../../elsewhere/x.parquet",
        "/etc/passwd",
        "/tmp/x.parquet",  # noqa: S108 - a name in a manifest
        "C:\\x.parquet",
        "C:x.parquet",
        "\\\\server\\share\\x.parquet",
        "log/../../x.parquet",
        "log//x.parquet",
        "./x.parquet",
        "x.parquet\n",
        "x\0.parquet",
        "x" * 300 + ".parquet",
        "workspace.json",
        "",
    ],
)
def test_a_file_that_lies_elsewhere_is_never_touched(file: str, tmp_path: Path) -> None:
    """Neither the pipeline nor a reader opens, renames or deletes what a planted manifest names."""
    outside = tmp_path / "crypto.db"
    outside.write_bytes(b"prices")
    folder = tmp_path / "processed"
    whole = published(folder).manifest.to_json()
    planted = {**whole, "entries": {"latest": {**whole["entries"]["latest"], "file": file}}}
    with pytest.raises(DamagedFile):
        Manifest.from_json(planted)
    (folder / MANIFEST).write_text(json.dumps(planted))
    with pytest.raises(DamagedFile):
        ManifestReader(folder).current()
    publisher = Publisher(folder)
    assert publisher.damaged == [MANIFEST]
    assert publisher.manifest.entries["latest"].file == whole["entries"]["latest"]["file"]
    assert outside.read_bytes() == b"prices"


@pytest.mark.parametrize(
    "change",
    [
        {"version": -1},
        {"version": None},
        {"published_ms": 10**30},
        {"entries": []},
        {"parts": {"log": [{"file": "log/x.parquet"}]}},
        {"parts": {"log": {"file": "log/x.parquet"}}},
    ],
)
def test_values_that_no_publisher_writes_are_damage(change: dict[str, object], tmp_path: Path) -> None:
    """Absurd times and counts, and other shapes."""
    with pytest.raises(DamagedFile):
        Manifest.from_json({**published(tmp_path).manifest.to_json(), **change})


def test_a_part_with_an_absurd_time_is_damage(tmp_path: Path) -> None:
    """A time beyond the calendar would end the process that shows it."""
    value = published(tmp_path).manifest.to_json()
    value["parts"]["log"][0]["end_ms"] = 10**18
    with pytest.raises(DamagedFile, match="end_ms"):
        Manifest.from_json(value)


def test_a_pipe_in_place_of_a_table_holds_nobody_up(tmp_path: Path) -> None:
    """A reader is refused at once; the pipeline sets it aside and publishes without it."""
    publisher = published(tmp_path)
    file = tmp_path / publisher.manifest.entries["latest"].file
    file.unlink()
    make_pipe(file)
    with pytest.raises(DamagedFile):
        read_table(file)
    publisher.inspect()
    assert publisher.damaged == [file.name]
    assert "latest" not in publisher.manifest.entries


def test_a_pipe_in_place_of_the_manifest_holds_nobody_up(tmp_path: Path) -> None:
    """A reader is refused at once, and the next start takes the copy."""
    published(tmp_path)
    (tmp_path / MANIFEST).unlink()
    make_pipe(tmp_path / MANIFEST)
    with pytest.raises((DamagedFile, NotReady)):
        ManifestReader(tmp_path).current()
    assert Publisher(tmp_path).damaged == [MANIFEST]
    assert "latest" in Publisher(tmp_path).manifest.entries


def test_a_table_of_too_much_is_set_aside_unread(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A planted file whose rows are more than any table has is found in the next cycle."""
    publisher = published(tmp_path)
    monkeypatch.setattr("core.publishing.parquet._MOST_ROWS", 10)
    publisher.publish({"latest": pa.table({"value": [1] * 11})})
    publisher.inspect()
    assert publisher.damaged == []  # its own file, unchanged since it was written
    file = tmp_path / publisher.manifest.entries["latest"].file
    file.write_bytes(file.read_bytes())
    publisher.inspect()
    assert publisher.damaged == [file.name]
    assert read_json(tmp_path / MANIFEST)["entries"] == {}
