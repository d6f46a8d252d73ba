"""What was made of published files is made once, and goes with the files."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from core.publishing.file_cache import kept_of_files
from core.publishing.manifest import ManifestReader
from core.publishing.publisher import Publisher


def test_what_was_made_of_a_file_goes_when_the_manifest_no_longer_names_it(tmp_path: Path) -> None:
    """Of twenty publications that replace one table, readers keep what they made of the newest, and of others."""
    made: list[str] = []

    @kept_of_files(most=1000)
    def half(path: Path, name: str) -> str:
        made.append(path.name)
        return name[: len(name) // 2]

    publisher, reader = Publisher(tmp_path), ManifestReader(tmp_path)
    publisher.publish({"other": pa.table({"coin": ["bitcoin"]})})
    for number in range(20):
        publisher.publish({"latest": pa.table({"coin": [f"coin {number}"]})})
        entries = reader.current().entries
        for name in (*entries, *entries):
            assert half(tmp_path / entries[name].file, name) == name[: len(name) // 2]
    assert len(half) == 2
    assert len(made) == len(set(made)) == 21


def test_at_most_so_many_results_are_kept() -> None:
    """What nobody asked for longest is made again; arguments given by name count too."""
    made: list[tuple[str, int]] = []

    @kept_of_files(most=2)
    def named(path: Path, *, number: int) -> str:
        made.append((path.name, number))
        return f"{path.name} {number}"

    for name, number in (("a", 1), ("a", 2), ("a", 1), ("b", 1), ("a", 1), ("a", 2)):
        assert named(Path(name), number=number) == f"{name} {number}"
    assert made == [("a", 1), ("a", 2), ("b", 1), ("a", 2)]
    assert len(named) == 2
