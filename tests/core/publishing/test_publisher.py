"""Publication is atomic, readers lose no file they were pointed to, and pieces are merged without losing a row."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pyarrow as pa
import pytest

from core.errors import DamagedFile, NotReady
from core.publishing.manifest import ManifestReader
from core.publishing.parquet import read_table, sorted_by
from core.publishing.publisher import Publisher
from core.times import DAY_MS, HOUR_MS, MINUTE_MS

DAY = 20_000 * DAY_MS


def _table(*values: int, coin: str = "bitcoin") -> pa.Table:
    return pa.table({"coin": [coin] * len(values), "origin": list(values)})


def _rows(publisher: Publisher, name: str) -> list[int]:
    return sorted(value for table in publisher.read(name) for value in table["origin"].to_pylist())


def test_nothing_published_is_not_ready(tmp_path: Path) -> None:
    """Before the first publication a reader is told to wait."""
    with pytest.raises(NotReady):
        ManifestReader(tmp_path).current()


def test_a_published_table_is_read_back_and_replaced(tmp_path: Path) -> None:
    """A reader follows the manifest from the first version to the second, and the key tells it to look."""
    publisher, reader = Publisher(tmp_path), ManifestReader(tmp_path)
    publisher.publish({"latest": _table(1)})
    first, key = reader.current(), reader.key()
    publisher.publish({"latest": _table(1, 2)})
    assert reader.key() != key
    assert read_table(tmp_path / reader.current().entries["latest"].file).num_rows == 2
    assert read_table(tmp_path / first.entries["latest"].file).num_rows == 1


def test_pieces_of_closed_hours_and_days_are_merged_without_loss(tmp_path: Path) -> None:
    """After compaction the same rows lie in one piece a closed day, sorted, and the open hour stays in slots."""
    publisher = Publisher(tmp_path)
    moments = [DAY + step * 5 * MINUTE_MS for step in range(0, 24 * 12, 3)] + [DAY + DAY_MS + MINUTE_MS]
    for moment in moments:
        publisher.publish(appended={"log": (moment, moment, _table(moment))})
    while publisher.compact("log", DAY + DAY_MS + HOUR_MS // 2, sorted_by("coin", "origin")):
        pass
    assert _rows(publisher, "log") == moments
    assert sorted(part.level for part in publisher.manifest.parts["log"]) == ["day", "slot"]


def test_a_restart_continues_from_the_manifest(tmp_path: Path) -> None:
    """What one publisher wrote the next one names and extends."""
    Publisher(tmp_path).publish(appended={"log": (DAY, DAY, _table(DAY))})
    publisher = Publisher(tmp_path)
    publisher.publish(appended={"log": (DAY + 1, DAY + 1, _table(DAY + 1))})
    assert _rows(publisher, "log") == [DAY, DAY + 1]


@pytest.mark.parametrize("content", [b"", b"garbage", b"PAR1"])
def test_a_damaged_piece_is_set_aside_and_the_others_stay(tmp_path: Path, content: bytes) -> None:
    """A truncated or overwritten file is named as damaged and no longer part of the table."""
    publisher = Publisher(tmp_path)
    publisher.publish(appended={"log": (DAY, DAY, _table(DAY))})
    publisher.publish(appended={"log": (DAY + 1, DAY + 1, _table(DAY + 1))})
    (tmp_path / publisher.manifest.parts["log"][0].file).write_bytes(content)
    recovered = Publisher(tmp_path)
    assert len(recovered.damaged) == 1
    assert _rows(recovered, "log") == [DAY + 1]


def test_a_damaged_manifest_is_set_aside(tmp_path: Path) -> None:
    """A torn manifest does not stop the next publication."""
    Publisher(tmp_path).publish({"latest": _table(1)})
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(DamagedFile):
        ManifestReader(tmp_path).current()
    publisher = Publisher(tmp_path)
    publisher.publish({"latest": _table(1)})
    assert ManifestReader(tmp_path).current().entries["latest"].rows == 1


def test_flipped_bytes_inside_a_page_are_noticed(tmp_path: Path) -> None:
    """Page checksums catch damage that leaves the footer intact."""
    publisher = Publisher(tmp_path)
    publisher.publish({"latest": _table(*range(5000))})
    path = tmp_path / publisher.manifest.entries["latest"].file
    content = bytearray(path.read_bytes())
    content[200] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(DamagedFile):
        read_table(path)


def test_readers_never_fail_while_the_publisher_rewrites(tmp_path: Path) -> None:
    """Two readers beside two hundred publications and sweeps see only whole states that agree with their manifest."""
    publisher = Publisher(tmp_path)
    publisher.publish({"latest": _table(0)})
    failures: list[Exception] = []
    stop = threading.Event()

    def read() -> None:
        reader = ManifestReader(tmp_path)
        while not stop.is_set():
            try:
                entry = reader.current().entries["latest"]
                assert read_table(tmp_path / entry.file).num_rows == entry.rows
            except Exception as error:
                failures.append(error)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for thread in readers:
        thread.start()
    for count in range(200):
        publisher.publish({"latest": _table(*range(count % 7 + 1))})
        publisher.sweep()
    stop.set()
    for thread in readers:
        thread.join()
    assert failures == []


def test_a_lost_manifest_comes_back_from_its_copy(tmp_path: Path) -> None:
    """With the manifest torn or gone every part of every table is still published, and none is deleted."""
    for content in (b"{", b"", b"[1]", None):
        publisher = Publisher(tmp_path)
        moment = DAY + publisher.manifest.version
        publisher.publish({"latest": _table(1)}, {"log": (moment, moment, _table(moment))})
        publisher.publish({"latest": _table(2)})
        rows = _rows(publisher, "log")
        if content is None:
            (tmp_path / "manifest.json").unlink()
        else:
            (tmp_path / "manifest.json").write_bytes(content)
        assert _rows(Publisher(tmp_path), "log") == rows


def test_without_any_manifest_the_files_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where manifest and copy are damaged both, nothing is published and nothing is deleted."""
    Publisher(tmp_path).publish(appended={"log": (DAY, DAY, _table(DAY))})
    (tmp_path / "manifest.json").write_text("{")
    (tmp_path / "manifest-copy.json").write_text("{")
    monkeypatch.setattr("core.publishing.publisher.KEEP_S", -1.0)
    publisher = Publisher(tmp_path)
    publisher.sweep()
    assert publisher.manifest.files() == set()
    assert len(list(tmp_path.glob("log/*/*.parquet"))) == 1


def test_a_file_a_crash_left_is_never_swept_once_it_is_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A crash between a part and its manifest leaves a name that the next publication takes; the file then stays."""
    publisher = Publisher(tmp_path)
    publisher.publish(appended={"log": (DAY, DAY, _table(DAY))})
    published = publisher.publish(appended={"log": (DAY + 1, DAY + 1, _table(DAY + 1))})
    (tmp_path / "manifest.json").write_text(
        json.dumps({**published.to_json(), "version": 1, "parts": {"log": [vars(published.parts["log"][0])]}})
    )
    monkeypatch.setattr("core.publishing.publisher.KEEP_S", -1.0)
    restarted = Publisher(tmp_path)
    again = restarted.publish(appended={"log": (DAY + 1, DAY + 1, _table(DAY + 1))})
    assert again.parts == published.parts
    restarted.sweep()
    assert _rows(restarted, "log") == [DAY, DAY + 1]


@pytest.mark.parametrize("harm", ["cut", "flipped", "gone"])
@pytest.mark.parametrize("victim", ["log", "latest"])
def test_damage_to_published_files_is_noticed_while_running(tmp_path: Path, victim: str, harm: str) -> None:
    """An inspection sets the harmed file aside and publishes without it; the next publication is as usual."""
    publisher = Publisher(tmp_path)
    publisher.publish({"latest": _table(*range(5000))}, {"log": (DAY, DAY, _table(*range(5000)))})
    publisher.publish(appended={"log": (DAY + 1, DAY + 1, _table(DAY + 1))})
    publisher.inspect()
    assert publisher.damaged == []
    manifest = publisher.manifest
    path = tmp_path / (manifest.entries["latest"] if victim == "latest" else manifest.parts["log"][0]).file
    content = bytearray(path.read_bytes())
    content[200] ^= 0xFF
    if harm == "gone":
        path.unlink()
    else:
        path.write_bytes(content if harm == "flipped" else content[:300])
    publisher.inspect()
    assert publisher.damaged == [path.relative_to(tmp_path).as_posix()]
    assert len(list(tmp_path.rglob("*.damaged-*"))) == (harm != "gone")
    assert ManifestReader(tmp_path).current() == publisher.manifest
    assert path.name not in {Path(file).name for file in publisher.manifest.files()}
    assert _rows(publisher, "log")[-1] == DAY + 1


def test_what_the_disk_forgot_is_found_in_turn(tmp_path: Path) -> None:
    """Bytes that change without a trace in the file's dates are found once every file had its turn."""
    publisher = Publisher(tmp_path)
    for step in range(5):
        publisher.publish({"latest": _table(step)}, {"log": (DAY + step, DAY + step, _table(*range(5000)))})
    path = tmp_path / publisher.manifest.parts["log"][2].file
    status = path.stat()
    content = bytearray(path.read_bytes())
    content[200] ^= 0xFF
    with path.open("r+b") as file:
        file.write(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    for step in range(7):
        publisher.publish({"latest": _table(step)})
        publisher.inspect()
    assert [Path(file).name for file in publisher.damaged] == [path.name]


def test_a_manifest_changed_by_somebody_else_is_written_again(tmp_path: Path) -> None:
    """While the publisher runs it knows best what is published."""
    publisher = Publisher(tmp_path)
    publisher.publish({"latest": _table(1)})
    (tmp_path / "manifest.json").write_text("garbage")
    publisher.inspect()
    assert ManifestReader(tmp_path).current() == publisher.manifest
    assert publisher.damaged == ["manifest.json"]


def test_a_damaged_part_does_not_stop_reading_or_merging(tmp_path: Path) -> None:
    """Reading and compaction go on with the other parts."""
    publisher = Publisher(tmp_path)
    for step in range(3):
        moment = DAY + step * 5 * MINUTE_MS
        publisher.publish(appended={"log": (moment, moment, _table(moment))})
    (tmp_path / publisher.manifest.parts["log"][1].file).write_bytes(b"PAR1 no more")
    assert publisher.compact("log", DAY + DAY_MS, sorted_by("coin", "origin"))
    assert publisher.compact("log", DAY + DAY_MS, sorted_by("coin", "origin"))
    assert _rows(publisher, "log") == [DAY, DAY + 10 * MINUTE_MS]
    assert len(publisher.damaged) == 1
