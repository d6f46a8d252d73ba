"""Publishes numbers into a folder and copies them into a bucket until it is killed: `python -m … FOLDER PREFIX`."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pyarrow as pa

from core.artifacts.bucket import Bucket
from core.publishing.publisher import Publisher
from core.store_address import BucketAddress
from model.loop.artifact_copy import ArtifactCopy

__all__ = ["main"]


def main(folder: Path, prefix: str) -> None:
    """Go on with the number after the last one that was published."""
    publisher = Publisher(folder)
    ArtifactCopy(Bucket(BucketAddress("crypto", prefix), os.environ), folder)
    number = max((part.end_ms for part in publisher.manifest.parts.get("log", ())), default=0)
    while True:
        number += 1
        table = pa.table({"value": [number]})
        publisher.publish({"latest": table}, {"log": (number, number, table)})
        time.sleep(0.05)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
