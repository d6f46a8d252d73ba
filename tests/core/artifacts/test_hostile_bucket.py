"""Who can write to a bucket reaches no file outside the folder that follows it, and exhausts no reader."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from core.artifacts.bucket import Bucket, Content
from core.artifacts.copying import Download
from core.errors import DamagedFile
from core.publishing.manifest import MANIFEST, ManifestReader
from tests.support.planted_bucket import TABLE, PlantedBucket, manifest_of


def download(folder: Path, objects: dict[str, bytes]) -> Content | None:
    """Follow a bucket with these objects once."""
    return Download(cast("Bucket", PlantedBucket(objects)), folder).copy()


def test_what_an_honest_writer_put_there_arrives(tmp_path: Path) -> None:
    """The table, then the manifest."""
    assert download(tmp_path, {MANIFEST: manifest_of("latest.parquet"), "latest.parquet": TABLE}) is not None
    assert ManifestReader(tmp_path).current().entries["latest"].file == "latest.parquet"


@pytest.mark.parametrize("content", [b"", b"PAR1", TABLE[:-20], b"#!/bin/sh\n"])
def test_what_is_no_table_gets_no_name(content: bytes, tmp_path: Path) -> None:
    """The manifest before stays."""
    objects = {MANIFEST: manifest_of("latest.parquet"), "latest.parquet": content}
    with pytest.raises(DamagedFile):
        download(tmp_path, objects)
    assert list(tmp_path.iterdir()) == []


def test_a_table_of_too_much_gets_no_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """More rows than any published table has."""
    monkeypatch.setattr("core.publishing.parquet._MOST_ROWS", 10)
    with pytest.raises(DamagedFile):
        download(tmp_path, {MANIFEST: manifest_of("latest.parquet"), "latest.parquet": TABLE})


@pytest.mark.parametrize("content", [b"[" * 100_000, b"[]", b"{}", manifest_of("latest.parquet", version=10**30 * -1)])
def test_a_manifest_that_is_none_is_damage(content: bytes, tmp_path: Path) -> None:
    """Deep nesting, other shapes and impossible values."""
    with pytest.raises(DamagedFile):
        download(tmp_path, {MANIFEST: content})
