"""Pipelines on two machines that share a bucket: one publishes, the other stands by, ends, and goes on from there."""

from __future__ import annotations

import json
import shutil
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

import pytest
from obstore.store import MemoryStore

from core.artifacts.bucket import Bucket
from core.artifacts.copying import Download
from core.errors import EXIT_REFUSED
from core.processes.health_schema import PIPELINE
from core.processes.heartbeat import Heartbeat
from core.processes.lifecycle import run_main
from core.publishing.manifest import MANIFEST
from core.publishing.publisher import Publisher
from core.settings import Settings, Source, load_settings
from core.store_address import BucketAddress
from core.workspace import open_workspace
from etl.features.columns import FEATURE_NAMES
from model.loop.artifact_copy import ArtifactCopy
from model.loop.registry import MODEL_CARD
from model.loop.session import Session, made_with, open_session
from model.pipeline import Pipeline
from tests.support.publications import publish, values
from tests.support.waiting import wait_until

PROCESSED: Final = "suite/live_usd/processed"


@pytest.fixture
def buckets(monkeypatch: pytest.MonkeyPatch) -> Mapping[str, Bucket]:
    """Folders of a bucket in memory, by their names; a pipeline counts as silent after a moment."""
    made: dict[str, Bucket] = defaultdict(lambda: Bucket(MemoryStore()))

    def opened(address: BucketAddress) -> Bucket:
        return made[address.prefix]

    monkeypatch.setattr("model.loop.session.open_bucket", opened)
    monkeypatch.setattr("model.loop.session.ArtifactCopy", partial(ArtifactCopy, still_s=0.1))
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    return made


def machine(folder: Path) -> Settings:
    """Settings of a machine whose folders are empty."""
    return load_settings(
        source=Source.COINGECKO,
        data_dir=folder / "data",
        models_dir=folder / "models",
        artifacts_url="s3://crypto/suite",
        currency="usd",
    )


def copied(session: Session, bucket: Bucket) -> bool:
    """Whether the newest publication is in the bucket."""
    found = bucket.find(MANIFEST)
    return found is not None and json.loads(found.data)["version"] == session.publisher.manifest.version


@contextmanager
def publishing(folder: Path, bucket: Bucket) -> Iterator[Session]:
    """A pipeline whose first publication is in the bucket."""
    with open_session(machine(folder)) as session:
        publish(session.publisher, 1)
        wait_until(lambda: copied(session, bucket))
        yield session


def test_a_pipeline_that_was_overtaken_ends_and_its_next_start_goes_on(
    tmp_path: Path, buckets: Mapping[str, Bucket], capfd: pytest.CaptureFixture[str]
) -> None:
    """Once the other one is silent it exits with 2, upon which the suite starts it again, from what the other made."""
    first, second = machine(tmp_path / "first"), machine(tmp_path / "second")
    publish(Publisher(open_workspace(first).processed), 1)
    with open_session(first) as session, Heartbeat(first.run_dir, PIPELINE) as heartbeat:
        wait_until(lambda: copied(session, buckets[PROCESSED]))
        with open_session(second) as other:
            publish(other.publisher, 2)
            wait_until(lambda: copied(other, buckets[PROCESSED]))
        publish(session.publisher, 3)
        assert session.copy is not None
        wait_until(lambda: session.copy is not None and session.copy.takes_over)

        def run() -> int:
            Pipeline(session, heartbeat).run(threading.Event())
            return 0

        assert run_main(run) == EXIT_REFUSED
        assert "recomeça e assume" in capfd.readouterr().err
    with open_session(first) as session:
        publish(session.publisher, 4)
        assert values(session.publisher.folder) == [1, 2, 4]
        wait_until(lambda: copied(session, buckets[PROCESSED]))
    assert [values(aside) for aside in tmp_path.glob("first/data/processed.before-*")] == [[1, 3]]


def test_a_new_machine_goes_on_with_what_was_learned(
    tmp_path: Path, buckets: Mapping[str, Bucket], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its first session has the other's publication and model; with another key it has the publication alone."""
    first = machine(tmp_path / "first")
    with open_session(first) as session:
        options = made_with(session.options)
        card = session.registry.save(session.executor.state(), FEATURE_NAMES, options, trained_ms=5)
        publish(session.publisher, 1)
        wait_until(lambda: buckets["suite/live_usd/models"].find(MODEL_CARD))
        wait_until(lambda: copied(session, buckets[PROCESSED]))
    with open_session(machine(tmp_path / "second")) as session:
        assert (session.model_version, session.trained_ms) == (card.version, 5)
        assert values(session.publisher.folder) == [1]
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    with open_session(machine(tmp_path / "third")) as session:
        assert (session.model_version, session.trained_ms) == ("0", None)
        assert values(session.publisher.folder) == [1]


def test_of_two_machines_with_a_copied_folder_the_one_that_starts_last_goes_on(
    tmp_path: Path, buckets: Mapping[str, Bucket]
) -> None:
    """It begins with all that the other has published since, and the other stands by: no file is mixed with another."""
    bucket = buckets[PROCESSED]
    with publishing(tmp_path / "first", bucket):
        pass
    shutil.copytree(tmp_path / "first", tmp_path / "second")
    first, second = machine(tmp_path / "first"), machine(tmp_path / "second")
    with open_session(first) as session, open_session(second) as other:
        assert values(other.publisher.folder) == [1]
        publish(session.publisher, 2)
        publish(other.publisher, 3)
        wait_until(lambda: copied(other, bucket))
        wait_until(lambda: session.copy is not None and session.copy.problem)
        Download(bucket, tmp_path / "reader").copy()
        assert values(tmp_path / "reader") == [1, 3]


def test_a_folder_copied_while_the_other_goes_on_begins_with_what_that_has_published(
    tmp_path: Path, buckets: Mapping[str, Bucket]
) -> None:
    """Its own publication is older, so it is set aside as that of another machine is."""
    bucket = buckets[PROCESSED]
    with publishing(tmp_path / "first", bucket) as session:
        shutil.copytree(tmp_path / "first", tmp_path / "second")
        publish(session.publisher, 2)
        wait_until(lambda: copied(session, bucket))
        with open_session(machine(tmp_path / "second")) as other:
            assert values(other.publisher.folder) == [1, 2]
            publish(other.publisher, 3)
            wait_until(lambda: copied(other, bucket))
            Download(bucket, tmp_path / "reader").copy()
    assert values(tmp_path / "reader") == [1, 2, 3]


def test_a_pipeline_that_starts_again_goes_on_with_its_own_folder(
    tmp_path: Path, buckets: Mapping[str, Bucket]
) -> None:
    """What it published while the bucket was away is kept and copied, and nothing is set aside."""
    settings = machine(tmp_path)
    for number in (1, 2, 3):
        with open_session(settings) as session:
            publish(session.publisher, number)
            wait_until(lambda session=session: copied(session, buckets[PROCESSED]))  # type: ignore[misc]
        publish(Publisher(open_workspace(settings).processed), 10 * number)
    with open_session(settings) as session:
        assert values(session.publisher.folder) == [1, 2, 3, 10, 20, 30]
    assert not list(tmp_path.glob("data/processed.before-*"))


def test_what_the_bucket_has_in_part_is_not_taken_over(tmp_path: Path, buckets: Mapping[str, Bucket]) -> None:
    """Where it has lost a file of the other's publication, a machine keeps its own in place."""
    first, second = machine(tmp_path / "first"), machine(tmp_path / "second")
    with open_session(first) as session:
        publish(session.publisher, 1)
        wait_until(lambda: copied(session, buckets[PROCESSED]))
        buckets[PROCESSED].delete([session.publisher.manifest.parts["numbers"][0].file])
    publish(Publisher(open_workspace(second).processed), 2)
    with open_session(second) as session:
        assert values(session.publisher.folder) == [2]
