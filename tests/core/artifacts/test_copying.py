"""Copies of a publication on a real S3 server."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from core.artifacts.bucket import open_bucket
from core.artifacts.copying import Download, Upload
from core.errors import ConfigurationError, DamagedFile, Overtaken, StorageProblem
from core.publishing.manifest import MANIFEST, ManifestReader
from core.publishing.publisher import Publisher
from core.store_address import BucketAddress
from model.loop.artifact_copy import ArtifactCopy, continue_publication
from tests.support.faulty_proxy import FaultyProxy
from tests.support.object_store import ObjectStore
from tests.support.publications import publish, values
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow
PATIENCE_S = 60.0


def test_a_publication_arrives_as_it_was_made(store: ObjectStore, prefix: str, tmp_path: Path) -> None:
    """What was published is read elsewhere with equal tables, and what did not change is not sent twice."""
    publisher, upload = Publisher(tmp_path / "here"), Upload(store.bucket(prefix), tmp_path / "here", "a")
    with FaultyProxy(store.port) as proxy:
        download = Download(store.bucket(prefix, proxy.port), tmp_path / "there")
        for value in (1, 2):
            publish(publisher, value)
            upload.copy()
            assert download.copy() is not None
        assert values(tmp_path / "there") == [1, 2]
        assert ManifestReader(tmp_path / "there").current() == publisher.manifest
        proxy.requests.clear()
        assert download.copy() is None
        assert len(proxy.requests) == 1  # answered with 304


def cut(content: bytes) -> bytes:
    """Without the end of its footer."""
    return content[:-20]


def flipped(content: bytes) -> bytes:
    """Another last byte before the footer, in a page."""
    last = len(content) - 9 - int.from_bytes(content[-8:-4], "little")
    return content[:last] + bytes([content[last] ^ 0xFF]) + content[last + 1 :]


@pytest.mark.parametrize(("harm", "restarts"), [(cut, False), (flipped, False), (cut, True)])
def test_a_damaged_file_is_fetched_again(
    store: ObjectStore, prefix: str, tmp_path: Path, harm: Callable[[bytes], bytes], restarts: bool
) -> None:
    """The next publication brings it too, also to a reader that starts again; the damaged one is set aside."""
    publisher, there = Publisher(tmp_path / "here"), tmp_path / "there"
    upload, download = Upload(store.bucket(prefix), tmp_path / "here", "a"), Download(store.bucket(prefix), there)
    publish(publisher, 1)
    upload.copy()
    download.copy()
    damaged = there / publisher.manifest.parts["numbers"][0].file
    damaged.write_bytes(harm(damaged.read_bytes()))
    with pytest.raises(DamagedFile):
        values(there)
    publish(publisher, 2)
    upload.copy()
    if restarts:
        download = Download(store.bucket(prefix), there)
    download.copy()
    assert values(there) == [1, 2]
    assert len(list(damaged.parent.glob(f"{damaged.name}.damaged-*"))) == 1


def test_objects_that_the_bucket_loses_are_missed_and_sent_again(
    store: ObjectStore, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new reader says what is wrong, keeps what it has, and gets all once the writer has looked again, in an hour."""
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr("core.artifacts.copying.time", SimpleNamespace(monotonic=lambda: clock.now))
    publisher, bucket = Publisher(tmp_path / "here"), store.bucket(prefix)
    upload, download = Upload(bucket, tmp_path / "here", "a"), Download(bucket, tmp_path / "there")
    publish(publisher, 1)
    upload.copy()
    bucket.delete([publisher.manifest.parts["numbers"][0].file])
    for value in (2, 3):
        publish(publisher, value)
        upload.copy()
        with pytest.raises(StorageProblem, match="lost"):
            download.copy()
        assert values(tmp_path / "there") == []
        clock.now += 3_599
    publish(publisher, 4)
    upload.copy()
    download.copy()
    assert values(tmp_path / "there") == [1, 2, 3, 4]


def test_of_two_writers_one_wins(store: ObjectStore, prefix: str, tmp_path: Path) -> None:
    """The second writer is told to stand by, and what the first one published stays."""
    uploads = []
    for name in "ab":
        publish(Publisher(tmp_path / name), ord(name))
        uploads.append(Upload(store.bucket(prefix), tmp_path / name, name))
    uploads[0].copy()
    with pytest.raises(Overtaken):
        uploads[1].copy()
    Download(store.bucket(prefix), tmp_path / "there").copy()
    assert values(tmp_path / "there") == [ord("a")]


def test_a_manifest_is_swapped_once(store: ObjectStore, prefix: str) -> None:
    """Of two swaps from one state the second is refused, and one whose answer was lost may be repeated."""
    bucket = store.bucket(prefix)
    tag = bucket.swap(MANIFEST, b"1", None)
    assert bucket.swap(MANIFEST, b"1", None) == tag
    bucket.swap(MANIFEST, b"2", tag)
    with pytest.raises(Overtaken):
        bucket.swap(MANIFEST, b"3", tag)
    with pytest.raises(Overtaken):
        bucket.swap(MANIFEST, b"3", None)


def test_a_pipeline_elsewhere_continues_what_was_published(store: ObjectStore, prefix: str, tmp_path: Path) -> None:
    """It begins with all that was published, its own is set aside, and the first one stands by until it is silent."""
    bucket = store.bucket(prefix)
    publish(Publisher(tmp_path / "a"), 1)
    with_first = ArtifactCopy(bucket, tmp_path / "a", still_s=0.5)
    wait_until(lambda: with_first.bytes_sent, PATIENCE_S)
    publish(Publisher(tmp_path / "b"), 7)
    continue_publication(bucket, tmp_path / "b")
    publish(Publisher(tmp_path / "b"), 2)
    second = ArtifactCopy(bucket, tmp_path / "b")
    wait_until(lambda: second.bytes_sent, PATIENCE_S)
    assert values(tmp_path / "b") == [1, 2]
    assert len(list(tmp_path.glob("b.before-*/manifest.json"))) == 1
    publish(Publisher(tmp_path / "a"), 3)
    wait_until(lambda: with_first.takes_over, PATIENCE_S)
    assert with_first.problem is not None
    with_first.close()
    second.close()
    continue_publication(bucket, tmp_path / "a")
    assert values(tmp_path / "a") == [1, 2]


def test_wrong_settings_are_named(tmp_path: Path) -> None:
    """Half a pair of keys is refused before anything is asked."""
    with pytest.raises(ConfigurationError, match="AWS_"):
        open_bucket(BucketAddress("crypto", "x"), {"AWS_SECRET_ACCESS_KEY": "alone"})


def test_a_manifest_names_its_writer(store: ObjectStore, prefix: str, tmp_path: Path) -> None:
    """The manifest in the bucket is the published one and the writer's name."""
    publisher = Publisher(tmp_path)
    publish(publisher, 1)
    Upload(store.bucket(prefix), tmp_path, "me").copy()
    found = store.bucket(prefix).read(MANIFEST)
    assert found is not None
    assert json.loads(found.data) == {**publisher.manifest.to_json(), "writer": "me"}
