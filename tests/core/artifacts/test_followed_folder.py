"""The folder of a reader that follows a bucket holds what is published, and nothing beyond what was until lately."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from obstore.store import MemoryStore

from core.artifacts.bucket import Bucket, Content
from core.artifacts.copying import Download, Upload
from core.errors import DamagedFile, StorageProblem
from core.files import SMALL_FILE_BYTES
from core.publishing.manifest import MANIFEST
from core.publishing.publisher import KEEP_S, Publisher
from tests.support.publications import publish, values

INTERVAL_S = 10.0
RECENT = int(KEEP_S / INTERVAL_S) + 2
"""Publications whose files may be there: the newest, and those of KEEP_S and one publication before."""


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A clock of the copies that the test sets: its `now`."""
    made = SimpleNamespace(now=0.0)
    monkeypatch.setattr("core.artifacts.copying.time", SimpleNamespace(monotonic=lambda: made.now))
    return made


def files(folder: Path) -> set[str]:
    """All files of a folder but its manifest."""
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    return found - {MANIFEST}


def test_the_folder_holds_the_publications_of_the_last_moments(tmp_path: Path, clock: SimpleNamespace) -> None:
    """Its files are always named by the newest publication or by one of the last 90 seconds, and take as many bytes."""
    publisher, bucket = Publisher(tmp_path / "here"), Bucket(MemoryStore())
    upload, download = Upload(bucket, tmp_path / "here", "a"), Download(bucket, tmp_path / "there")
    recent: deque[set[str]] = deque(maxlen=RECENT)
    for value in range(1, 16):
        publish(publisher, value)
        if value == 8:
            publisher.retire_before("numbers", value - 3)
        recent.append(publisher.manifest.files())
        upload.copy()
        download.copy()
        assert publisher.manifest.files() <= files(tmp_path / "there") <= set().union(*recent)
        clock.now += INTERVAL_S
    assert len(files(tmp_path / "there")) < 2 * 15
    for value in (16, 17):
        clock.now += KEEP_S + 1
        before = publisher.manifest.files()
        publish(publisher, value)
        upload.copy()
        download.copy()
    assert files(tmp_path / "there") == publisher.manifest.files() | before


def test_what_no_manifest_names_is_deleted(tmp_path: Path, clock: SimpleNamespace) -> None:
    """Files that a killed reader left, whole or half-written, and folders without files go; other files stay."""
    there = tmp_path / "there"
    left = ("latest-000000009.parquet", ".latest-000000009.parquet.x.tmp", "log/2020-01-01/slot-0000-000000001.parquet")
    for name in (*left, "pipeline.lock"):
        (there / name).parent.mkdir(parents=True, exist_ok=True)
        (there / name).touch()
    publisher, bucket = Publisher(tmp_path / "here"), Bucket(MemoryStore())
    upload, download = Upload(bucket, tmp_path / "here", "a"), Download(bucket, there)
    for value in (1, 2):
        publish(publisher, value)
        upload.copy()
        download.copy()
        clock.now += KEEP_S + 1
    assert not any((there / name).exists() for name in left)
    assert not (there / "log/2020-01-01").exists()
    assert (there / "pipeline.lock").exists()
    assert values(there) == [1, 2]


class Refusing(Bucket):
    """A bucket that gives out no parts of growing tables."""

    def read(self, name: str, known_tag: str | None = None, most_bytes: int = SMALL_FILE_BYTES) -> Content | None:
        """Read what is not refused."""
        if name.startswith("numbers/"):
            raise StorageProblem("refused")
        return super().read(name, known_tag, most_bytes)


def test_copies_that_never_succeed_do_not_fill_the_disk(tmp_path: Path, clock: SimpleNamespace) -> None:
    """While one file of each publication cannot be fetched, the others that were are deleted like superseded ones."""
    publisher, store = Publisher(tmp_path / "here"), MemoryStore()
    upload, download = Upload(Bucket(store), tmp_path / "here", "a"), Download(Refusing(store), tmp_path / "there")
    for value in range(1, 14):
        publish(publisher, value)
        upload.copy()
        with pytest.raises(StorageProblem):
            download.copy()
        assert len(files(tmp_path / "there")) <= RECENT
        clock.now += INTERVAL_S
    Download(Bucket(store), tmp_path / "there").copy()
    assert values(tmp_path / "there") == list(range(1, 14))


class Moving(Bucket):
    """A bucket in which something happens once after the first object was read."""

    then: Callable[[], object] = staticmethod(lambda: None)

    def read(self, name: str, known_tag: str | None = None, most_bytes: int = SMALL_FILE_BYTES) -> Content | None:
        """Read it, and then let it happen."""
        found, then, self.then = super().read(name, known_tag, most_bytes), self.then, lambda: None
        then()
        return found


def test_files_that_a_newer_publication_supersedes_meanwhile_are_no_loss(tmp_path: Path) -> None:
    """Nothing is wrong: the next look of the reader brings the newer publication."""
    publisher, store = Publisher(tmp_path / "here"), MemoryStore()
    upload, moving = Upload(Bucket(store), tmp_path / "here", "a"), Moving(store)
    publish(publisher, 1)
    upload.copy()
    superseded = publisher.manifest.entries["newest"].file
    publish(publisher, 2)

    def supersede() -> None:
        upload.copy()
        Bucket(store).delete([superseded])

    moving.then = supersede
    download = Download(moving, tmp_path / "there")
    assert download.copy() is None
    assert download.copy() is not None
    assert values(tmp_path / "there") == [1, 2]


@pytest.mark.parametrize(
    "name", ["../outside.parquet", "/outside.parquet", "log/../../outside.parquet", "pipeline.lock"]
)
def test_a_manifest_cannot_name_files_elsewhere(tmp_path: Path, name: str) -> None:
    """Who writes to the bucket chooses no place on the reader's disk: such a manifest counts as damaged."""
    publisher, bucket = Publisher(tmp_path / "here"), Bucket(MemoryStore())
    publish(publisher, 1)
    manifest = publisher.manifest.to_json()
    manifest["entries"]["newest"] = {**manifest["entries"]["newest"], "file": name}
    bucket.swap(MANIFEST, json.dumps(manifest).encode(), None)
    with pytest.raises(DamagedFile, match="file: String should match"):
        Download(bucket, tmp_path / "there").copy()
    assert not (tmp_path / "there").exists()
    assert {path.name for path in tmp_path.iterdir()} == {"here"}
