"""Publications of a few rows, made and read."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from core.errors import NotReady
from core.publishing.manifest import ManifestReader
from core.publishing.parquet import read_table
from core.publishing.publisher import Publisher

__all__ = ["publish", "values"]


def publish(publisher: Publisher, value: int) -> None:
    """Publish one row of the newest table and one more of a growing one."""
    table = pa.table({"value": [value]})
    publisher.publish({"newest": table}, {"numbers": (value, value, table)})


def values(folder: Path) -> list[int]:
    """The rows of the growing table that a folder publishes, in order; none before the first."""
    try:
        parts = ManifestReader(folder).current().parts["numbers"]
    except NotReady:
        return []
    return sorted(row for part in parts for row in read_table(folder / part.file)["value"].to_pylist())
