"""Publishes numbers into a folder, learns them, and copies both into a bucket until it is killed: `… FOLDER PREFIX`."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Final

from core.artifacts.bucket import open_bucket
from core.publishing.publisher import Publisher
from core.store_address import BucketAddress
from core.workspace import PUBLISHED
from model.loop.artifact_copy import ArtifactCopy
from model.loop.model_copy import ModelCopy
from model.loop.registry import ModelRegistry
from tests.support.publications import publish

__all__ = ["FEATURES", "KEY", "MODELS", "OPTIONS", "main"]

FEATURES: Final = ("x",)
OPTIONS: Final = {"seed": 0}
KEY: Final = b"test"
MODELS: Final = "models"
"""Folder of the models beside that of the publications, and in that of the bucket."""

_LEARN_EVERY: Final = 5
_PAUSE_S: Final = 0.2


def main(folder: Path, prefix: str) -> None:
    """Go on with the number after the last one that was published."""
    publisher, registry = Publisher(folder), ModelRegistry(folder.with_name(MODELS))
    address = BucketAddress("crypto", prefix)
    models = ModelCopy(open_bucket(address.folder(MODELS), os.environ), registry.folder, KEY)
    ArtifactCopy(open_bucket(address.folder(PUBLISHED), os.environ), folder, models)
    number = max((part.end_ms for part in publisher.manifest.parts.get("numbers", ())), default=0)
    while True:
        number += 1
        if number % _LEARN_EVERY == 0:
            registry.save(number, FEATURES, OPTIONS, trained_ms=number)
        publish(publisher, number)
        time.sleep(_PAUSE_S)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
