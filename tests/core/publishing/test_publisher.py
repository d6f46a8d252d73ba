"""Publishing is atomic, files stay for readers of older manifests, and merging loses no row."""

from __future__ import annotations

import errno
import json
import os
import threading
from pathlib import Path

import pyarrow as pa
import pytest

from core.aside import MOST_NAMED
from core.errors import DamagedFile, NotReady
from core.publishing.manifest import ManifestReader
from core.publishing.parquet import read_table, sorted_by
from core.publishing.publisher import Publisher
from core.times import DAY_MS, HOUR_MS, MINUTE_MS, to_datetime

DAY = 20_000 * DAY_MS


def _table(*values: int, coin: str = "bitcoin") -> pa.Table:
    return pa.table({"coin": [coin] * len(values), "origin": list(values)})


def _rows(publisher: Publisher, name: str) -> list[int]:
    return sorted(value for table in publisher.read(name) for value in table["origin"].to_pylist())


def test_nothing_published_is_not_ready(tmp_path: Path) -> None:
    """Before the first publication a reader raises NotReady."""
    with pytest.raises(NotReady):
        ManifestReader(tmp_path).current()


def test_a_published_table_is_read_back_and_replaced(tmp_path: Path) -> None:
    """A reader sees the second version, and the key changes with it."""
    publisher, reader = Publisher(tmp_path), ManifestReader(tmp_path)
    publisher.publish({"latest": _table(1)})
    first, key = reader.current(), reader.key()
    publisher.publish({"latest": _table(1, 2)})
    assert reader.key() != key
    assert read_table(tmp_path / reader.current().entries["latest"].file).num_rows == 2
    assert read_table(tmp_path / first.entries["latest"].file).num_rows == 1


def test_parts_of_closed_hours_and_days_are_merged_without_loss(tmp_path: Path) -> None:
    """Merging leaves the same rows in one sorted part per closed day; the open hour keeps its slots."""
    publisher = Publisher(tmp_path)
    moments = [DAY + step * 5 * MINUTE_MS for step in range(0, 24 * 12, 3)] + [DAY + DAY_MS + MINUTE_MS]
    for moment in moments:
        publisher.publish(appended={"log": (moment, moment, _table(moment))})
    while publisher.compact("log", DAY + DAY_MS + HOUR_MS // 2, sorted_by("coin", "origin")):
        pass
    assert _rows(publisher, "log") == moments
    assert sorted(part.level for part in publisher.manifest.parts["log"]) == ["day", "slot"]


def test_merging_a_few_coins_at_a_time_gives_the_same_rows_in_the_same_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However few rows are in memory at a time, down to those of one coin."""
    merged = []
    for most in (1_000, 50, 1):
        monkeypatch.setattr("core.publishing.merging._MOST_ROWS", most)
        publisher = Publisher(tmp_path / str(most))
        for moment in range(DAY, DAY + HOUR_MS, 5 * MINUTE_MS):
            rows = [_table(moment, coin=coin) for coin in ("solana", "bitcoin", "tether", "aave", "dai")]
            publisher.publish(appended={"log": (moment, moment, pa.concat_tables(rows))})
        while publisher.compact("log", DAY + 2 * HOUR_MS, sorted_by("coin", "origin")):
            pass
        assert [part.rows for part in publisher.manifest.parts["log"]] == [60]
        merged += publisher.read("log")
    assert merged[0].equals(merged[1])
    assert merged[0].equals(merged[2])


def _one_hour_of(publisher: Publisher, coins: int) -> None:
    for moment in range(DAY, DAY + HOUR_MS, 5 * MINUTE_MS):
        rows = [_table(moment, coin=f"coin-{number}") for number in range(coins)]
        publisher.publish(appended={"log": (moment, moment, pa.concat_tables(rows))})


def _merge_step(publisher: Publisher) -> bool:
    return publisher.compact("log", DAY + 2 * HOUR_MS, sorted_by("coin", "origin"))


def test_a_large_merge_takes_several_steps_between_which_others_publish(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No step reads more than its share of the rows; what is published in between stays, beside the merged hour."""
    monkeypatch.setattr("core.publishing.merging._MOST_ROWS", 24)
    publisher = Publisher(tmp_path)
    _one_hour_of(publisher, coins=10)
    for step in range(4):
        assert _merge_step(publisher)
        moment = DAY + HOUR_MS + step
        publisher.publish(appended={"log": (moment, moment, _table(moment))})
        assert [part.level for part in publisher.manifest.parts["log"]] == ["slot"] * (13 + step)
    assert _merge_step(publisher)
    assert sorted((part.level, part.rows) for part in publisher.manifest.parts["log"])[0] == ("hour", 120)
    assert len(_rows(publisher, "log")) == 124


@pytest.mark.parametrize("loss", ["damage", "retention"])
def test_a_merge_whose_part_is_lost_half_way_leaves_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loss: str
) -> None:
    """What it wrote is thrown away; rows of the lost part do not come back, and the next merge takes the others."""
    monkeypatch.setattr("core.publishing.merging._MOST_ROWS", 24)
    publisher = Publisher(tmp_path)
    _one_hour_of(publisher, coins=10)
    assert _merge_step(publisher)
    if loss == "damage":
        (tmp_path / publisher.manifest.parts["log"][0].file).write_bytes(b"PAR1 no more")
        publisher.inspect()
    else:
        publisher.retire_before("log", DAY + MINUTE_MS)
    while _merge_step(publisher):
        pass
    assert [(part.level, part.rows) for part in publisher.manifest.parts["log"]] == [("hour", 110)]
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_merge_of_parts_that_are_deleted_meanwhile_finds_no_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is past retention is no lost file: nothing is reported, and the other parts are merged."""
    monkeypatch.setattr("core.publishing.merging._MOST_ROWS", 24)
    monkeypatch.setattr("core.publishing.publisher.KEEP_S", -1.0)
    publisher = Publisher(tmp_path)
    _one_hour_of(publisher, coins=10)
    assert _merge_step(publisher)
    publisher.retire_before("log", DAY + MINUTE_MS)
    publisher.sweep()
    while _merge_step(publisher):
        pass
    assert publisher.damaged == []
    assert [(part.level, part.rows) for part in publisher.manifest.parts["log"]] == [("hour", 110)]


def test_a_merge_that_the_disk_refuses_begins_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The parts stay, nothing is left of the merge, and the next call starts it from the first coin."""
    monkeypatch.setattr("core.publishing.merging._MOST_ROWS", 24)
    publisher = Publisher(tmp_path)
    _one_hour_of(publisher, coins=10)
    assert _merge_step(publisher)
    with monkeypatch.context() as full:
        full.setattr("pyarrow.parquet.ParquetWriter.write_table", _full_disk)
        with pytest.raises(OSError, match="No space"):
            _merge_step(publisher)
    assert not list(tmp_path.rglob("*.tmp"))
    assert len(publisher.manifest.parts["log"]) == 12
    while _merge_step(publisher):
        pass
    assert [(part.level, part.rows) for part in publisher.manifest.parts["log"]] == [("hour", 120)]


def _full_disk(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_merge_cut_off_by_a_kill_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next start removes what it had written, once readers of older manifests are done, and merges again."""
    monkeypatch.setattr("core.publishing.merging._MOST_ROWS", 24)
    monkeypatch.setattr("core.publishing.publisher.KEEP_S", -1.0)
    killed = Publisher(tmp_path)
    _one_hour_of(killed, coins=10)
    assert _merge_step(killed)
    assert len(list(tmp_path.rglob("*.tmp"))) == 1
    publisher = Publisher(tmp_path)
    publisher.sweep()
    assert not list(tmp_path.rglob("*.tmp"))
    while _merge_step(publisher):
        pass
    assert [(part.level, part.rows) for part in publisher.manifest.parts["log"]] == [("hour", 120)]


def test_a_day_of_very_many_rows_stays_in_hours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its hours are merged, and nothing is left to do."""
    monkeypatch.setattr("core.publishing.merge_choice.MOST_MERGED_ROWS", 20)
    publisher = Publisher(tmp_path)
    moments = [DAY + step * 30 * MINUTE_MS for step in range(48)]
    for moment in moments:
        publisher.publish(appended={"log": (moment, moment, _table(moment))})
    while publisher.compact("log", DAY + 2 * DAY_MS, sorted_by("coin", "origin")):
        pass
    assert _rows(publisher, "log") == moments
    assert [part.level for part in publisher.manifest.parts["log"]] == ["hour"] * 24


def test_a_day_past_retention_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its folder goes with its last file; the days beside it stay, and the same day can come again."""
    monkeypatch.setattr("core.publishing.publisher.KEEP_S", -1.0)
    publisher = Publisher(tmp_path)
    for day_ms in (DAY, DAY + DAY_MS):
        publisher.publish(appended={"log": (day_ms, day_ms, _table(day_ms))})
    publisher.retire_before("log", DAY + 1)
    publisher.sweep()
    assert [path.name for path in (tmp_path / "log").iterdir()] == [f"{to_datetime(DAY + DAY_MS):%Y-%m-%d}"]
    publisher.publish(appended={"log": (DAY, DAY, _table(DAY))})
    assert _rows(publisher, "log") == [DAY, DAY + DAY_MS]


def test_a_restart_continues_from_the_manifest(tmp_path: Path) -> None:
    """A new publisher continues from the manifest of the last one."""
    Publisher(tmp_path).publish(appended={"log": (DAY, DAY, _table(DAY))})
    publisher = Publisher(tmp_path)
    publisher.publish(appended={"log": (DAY + 1, DAY + 1, _table(DAY + 1))})
    assert _rows(publisher, "log") == [DAY, DAY + 1]


@pytest.mark.parametrize("content", [b"", b"garbage", b"PAR1"])
def test_a_damaged_part_is_set_aside_and_the_others_stay(tmp_path: Path, content: bytes) -> None:
    """A truncated or overwritten file is reported as damaged and no longer published."""
    publisher = Publisher(tmp_path)
    publisher.publish(appended={"log": (DAY, DAY, _table(DAY))})
    publisher.publish(appended={"log": (DAY + 1, DAY + 1, _table(DAY + 1))})
    (tmp_path / publisher.manifest.parts["log"][0].file).write_bytes(content)
    recovered = Publisher(tmp_path)
    assert len(recovered.damaged) == 1
    assert _rows(recovered, "log") == [DAY + 1]


def test_the_newest_damaged_files_alone_are_named(tmp_path: Path) -> None:
    """A disk that fails for months does not fill the memory with names."""
    publisher = Publisher(tmp_path)
    for moment in range(MOST_NAMED + 1):
        publisher.publish({"latest": _table(moment)})
        file = publisher.manifest.entries["latest"].file
        (tmp_path / file).write_bytes(b"x")
        assert publisher.table(file) is None
    assert len(publisher.damaged) == MOST_NAMED
    assert publisher.damaged[-1] == file


def test_a_damaged_manifest_is_set_aside(tmp_path: Path) -> None:
    """A truncated manifest does not prevent the next publication."""
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
    """During sixty publications two readers always see tables that match their manifest."""
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
    for count in range(60):
        publisher.publish({"latest": _table(*range(count % 7 + 1))})
        publisher.sweep()
    stop.set()
    for thread in readers:
        thread.join()
    assert failures == []


def test_no_version_is_given_out_twice_after_a_manifest_was_lost(tmp_path: Path) -> None:
    """The copy is older than the manifest: the next publication has a higher number than any file."""
    publisher = Publisher(tmp_path)
    for _ in range(3):
        publisher.publish({"latest": pa.table({"value": [1.0]})})
    (tmp_path / "manifest.json").unlink()
    assert Publisher(tmp_path).publish({"latest": pa.table({"value": [2.0]})}).version == 4


def test_a_lost_manifest_comes_back_from_its_copy(tmp_path: Path) -> None:
    """If the manifest is damaged or missing, all parts stay published and none is deleted."""
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


def test_without_any_manifest_the_tables_are_kept_beside_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If manifest and copy are both damaged, later starts and publications delete nothing of what was there."""
    folder = tmp_path / "processed"
    for moment in (DAY, DAY + DAY_MS):
        Publisher(folder).publish({"latest": _table(1)}, {"log": (moment, moment, _table(moment))})
    before = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.parquet")}
    for name in ("manifest.json", "manifest-copy.json"):
        (folder / name).write_text("{")
    (folder / "pipeline.lock").touch()
    monkeypatch.setattr("core.publishing.publisher.KEEP_S", -1.0)
    for start in range(3):
        publisher = Publisher(folder)
        publisher.sweep()
        assert _rows(publisher, "log") == [DAY + step for step in range(start)]
        publisher.publish(appended={"log": (DAY + start, DAY + start, _table(DAY + start))})
    (aside,) = tmp_path.glob("processed.before-*")
    assert {path.relative_to(aside): path.read_bytes() for path in aside.rglob("*") if path.is_file()} == before
    assert (folder / "pipeline.lock").exists()


def test_a_file_a_crash_left_is_never_swept_once_it_is_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that a crash left without a manifest is reused by the next publication, and stays."""
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
    """An inspection sets the damaged file aside; the next publication works."""
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


def test_silent_disk_errors_are_found_in_turn(tmp_path: Path) -> None:
    """Bytes that change without a new modification time are found once each file was checked."""
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


def test_a_manifest_changed_by_another_program_is_written_again(tmp_path: Path) -> None:
    """A running publisher restores its own manifest."""
    publisher = Publisher(tmp_path)
    publisher.publish({"latest": _table(1)})
    (tmp_path / "manifest.json").write_text("garbage")
    publisher.inspect()
    assert ManifestReader(tmp_path).current() == publisher.manifest
    assert publisher.damaged == ["manifest.json"]


def test_a_manifest_changed_by_another_program_is_set_aside_by_the_next_publication(tmp_path: Path) -> None:
    """What the other program wrote is kept and reported, also if no inspection comes first."""
    publisher = Publisher(tmp_path)
    publisher.publish({"latest": _table(1)})
    (tmp_path / "manifest.json").write_text("garbage")
    publisher.publish({"latest": _table(2)})
    (aside,) = tmp_path.glob("manifest.json.damaged-*")
    assert aside.read_text() == "garbage"
    assert ManifestReader(tmp_path).current() == publisher.manifest
    assert publisher.damaged == ["manifest.json"]


def test_a_damaged_part_does_not_stop_reading_or_merging(tmp_path: Path) -> None:
    """Reading and merging continue with the other parts."""
    publisher = Publisher(tmp_path)
    for step in range(3):
        moment = DAY + step * 5 * MINUTE_MS
        publisher.publish(appended={"log": (moment, moment, _table(moment))})
    (tmp_path / publisher.manifest.parts["log"][1].file).write_bytes(b"PAR1 no more")
    assert publisher.compact("log", DAY + DAY_MS, sorted_by("coin", "origin"))
    assert publisher.compact("log", DAY + DAY_MS, sorted_by("coin", "origin"))
    assert _rows(publisher, "log") == [DAY, DAY + 10 * MINUTE_MS]
    assert len(publisher.damaged) == 1
