"""A real S3 server that is slow, refuses, loses answers or takes the clock for wrong: nothing is lost or doubled."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from core.artifacts.background import Background
from core.artifacts.copying import Download, Upload
from core.errors import StorageProblem
from core.publishing.manifest import MANIFEST
from core.publishing.publisher import Publisher
from core.workspace import PUBLISHED
from model.loop.artifact_copy import ArtifactCopy
from tests.support.faulty_proxy import FaultyProxy
from tests.support.object_store import ObjectStore
from tests.support.publications import publish, values
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow
PATIENCE_S = 120.0


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


@pytest.mark.parametrize(
    ("fault", "words"), [({"status": 503}, "out of reach"), ({"skewed": True}, "clock")], ids=["503", "skewed"]
)
def test_a_writer_that_is_refused_goes_on(
    store: ObjectStore, prefix: str, tmp_path: Path, fault: dict[str, int], words: str
) -> None:
    """While the store refuses, the copy says why and the folder is published; afterwards everything arrives."""
    publisher = Publisher(tmp_path / "here")
    with FaultyProxy(store.port) as proxy:
        for name, value in fault.items():
            setattr(proxy, name, value)
        copy = ArtifactCopy(store.bucket(prefix, proxy.port), tmp_path / "here")
        publish(publisher, 1)
        wait_until(lambda: copy.problem, PATIENCE_S)
        assert words in str(StorageProblem(copy.problem or ""))
        publish(publisher, 2)
        for name in fault:
            setattr(proxy, name, 0)
        wait_until(lambda: copy.problem is None, PATIENCE_S)
        copy.close()
    Download(store.bucket(prefix), tmp_path / "there").copy()
    assert values(tmp_path / "there") == [1, 2]


def test_a_slow_store_delays_no_publication(store: ObjectStore, prefix: str, tmp_path: Path) -> None:
    """While a copy hangs, publications go on; at a few kilobytes a second the newest arrives, with each row once."""
    publisher, opened = Publisher(tmp_path / "here"), threading.Event()
    with FaultyProxy(store.port, before=opened.wait, delay_s=0.1, bytes_s=20_000) as proxy:
        copy = ArtifactCopy(store.bucket(prefix, proxy.port), tmp_path / "here")
        publish(publisher, 1)
        wait_until(lambda: proxy.requests, PATIENCE_S)
        for value in range(2, 21):
            publish(publisher, value)
        assert copy.bytes_sent == 0
        opened.set()
        with Background(Download(store.bucket(prefix, proxy.port), tmp_path / "there").copy, 0.1):
            wait_until(lambda: values(tmp_path / "there") == list(range(1, 21)), PATIENCE_S)
        copy.close()


def test_a_storm_of_503_costs_nothing(store: ObjectStore, prefix: str, tmp_path: Path) -> None:
    """While every other request of writer and reader is refused, each of 30 publications arrives, and once."""
    publisher = Publisher(tmp_path / "here")
    with FaultyProxy(store.port, storm=0.5) as proxy:
        copy = ArtifactCopy(store.bucket(prefix, proxy.port), tmp_path / "here")
        with Background(Download(store.bucket(prefix, proxy.port), tmp_path / "there").copy, 0.1):
            for value in range(1, 31):
                publish(publisher, value)
                before = len(proxy.requests)
                wait_until(lambda before=before: len(proxy.requests) > before, PATIENCE_S)  # type: ignore[misc]
            wait_until(lambda: values(tmp_path / "there") == list(range(1, 31)), PATIENCE_S)
        copy.close()


def test_a_writer_killed_between_files_and_manifest_has_not_published(
    store: ObjectStore, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kill -9 when the files are stored and the manifest is not: readers keep the last one, the next writer goes on.

    What no manifest names is deleted in the end.
    """
    bucket, here, there = store.bucket(f"{prefix}/{PUBLISHED}"), tmp_path / "here", tmp_path / "there"
    manifest = f"/crypto/{prefix}/{PUBLISHED}/{MANIFEST}"
    download = Download(bucket, there)
    with FaultyProxy(store.port) as proxy:
        with endless_publisher(here, prefix, store.variables(proxy.port)):
            wait_until(lambda: download.copy() is not None, PATIENCE_S)
            proxy.lost = f"PUT {manifest}"
            proxy.requests.clear()
            wait_until(lambda: ("PUT", manifest) in proxy.requests, PATIENCE_S)
        download.copy()
        known = values(there)
        assert download.copy() is None
        assert sum(name.startswith("numbers/") for name in bucket.names()) > len(known) > 0
        proxy.lost = ""
        with endless_publisher(here, prefix, store.variables(proxy.port)):
            wait_until(lambda: download.copy() is not None, PATIENCE_S)
    monkeypatch.setattr("core.artifacts.copying.KEEP_S", -1)
    publisher = Publisher(here)
    publish(publisher, max(values(here)) + 1)
    copy = ArtifactCopy(bucket, here)
    wait_until(lambda: bucket.names() == publisher.manifest.files() | {MANIFEST}, PATIENCE_S)
    copy.close()
    download.copy()
    assert values(there) == list(range(1, max(values(here)) + 1))


@contextmanager
def endless_publisher(folder: Path, prefix: str, variables: Mapping[str, str]) -> Iterator[None]:
    """A process that publishes without end, until it is killed."""
    command = [sys.executable, "-m", "tests.support.endless_publisher", str(folder), prefix]
    process = subprocess.Popen(command, env={**os.environ, **variables})
    try:
        yield
    finally:
        process.kill()
        process.wait()
