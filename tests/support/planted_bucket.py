"""A bucket that holds whatever somebody has put into it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import pyarrow as pa

from core.artifacts.bucket import Content
from core.files import SMALL_FILE_BYTES
from core.publishing.manifest import MANIFEST
from core.publishing.parquet import table_bytes

__all__ = ["TABLE", "PlantedBucket", "manifest_of"]

TABLE: Final = table_bytes(pa.table({"value": [1] * 11}))


def manifest_of(file: str, **change: Any) -> bytes:
    """The manifest of one table."""
    entries = {"latest": {"file": file, "rows": 1, "updated_ms": 1}}
    return json.dumps({"version": 1, "published_ms": 1, "entries": entries, "parts": {}, **change}).encode()


class PlantedBucket:
    """Objects by name, read as those of `core.artifacts.bucket.Bucket`; each publication has a tag of its own."""

    def __init__(self, objects: Mapping[str, bytes] | None = None) -> None:
        self._objects = dict(objects or {})
        self._number = 0

    def publish(self, file: str) -> None:
        """Publish a table under this name in place of the one before."""
        self._number += 1
        self._objects = {file: TABLE, MANIFEST: manifest_of(file)}

    def read(self, name: str, known_tag: str | None = None, most_bytes: int = SMALL_FILE_BYTES) -> Content | None:
        """An object; None if it still has the known tag."""
        if name not in self._objects:
            raise FileNotFoundError(name)
        assert len(self._objects[name]) <= most_bytes
        tag = f"{name} {self._number}"
        return None if tag == known_tag else Content(tag, self._objects[name])
