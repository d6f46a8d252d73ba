"""Files that cannot be opened are not treated as damaged: nothing is set aside."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from core.errors import DamagedFile, NotReady, StorageProblem
from core.files import read_json
from core.price_store import Price, open_reader, open_writer
from core.price_store.sqlite.queries import quick_check
from core.publishing.manifest import ManifestReader
from core.publishing.parquet import read_table
from core.publishing.publisher import Publisher
from core.reading.readers import Readers
from core.settings import Source
from tests.support.resource_limits import limited
from tests.support.workspace import SampleWorkspace

TABLE = pa.table({"coin": ["bitcoin"], "value": [1.0]})


@pytest.fixture
def publisher(tmp_path: Path) -> Publisher:
    """A folder with one published table."""
    publisher = Publisher(tmp_path / "processed")
    publisher.publish({"latest": TABLE})
    return publisher


def _set_aside(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*") if ".damaged-" in path.name]


def test_too_many_open_files_do_not_count_as_damaged_tables(publisher: Publisher) -> None:
    """Reader and publisher report that they cannot read now; afterwards all tables are still there."""
    entry = publisher.manifest.entries["latest"]
    path = publisher.folder / entry.file
    actions: list[tuple[Callable[[], object], type[Exception]]] = [
        (lambda: read_table(path), NotReady),
        (ManifestReader(publisher.folder).current, NotReady),
        (lambda: publisher.table(entry.file), OSError),
        (publisher.inspect, OSError),
        (lambda: Publisher(publisher.folder), OSError),
    ]
    for action, error in actions:
        with limited("NOFILE", 3), pytest.raises(error):
            action()
    assert _set_aside(publisher.folder) == []
    publisher.inspect()
    assert publisher.damaged == []
    assert read_table(path).equals(TABLE)


def test_unreachable_files_do_not_count_as_damaged_tables(publisher: Publisher) -> None:
    """A file that cannot be reached (errno ELOOP, like EIO of a failing disk) stays where it is."""
    path = publisher.folder / publisher.manifest.entries["latest"].file
    kept = path.rename(path.with_suffix(".kept"))
    path.symlink_to(path)
    with pytest.raises(NotReady):
        read_table(path)
    with pytest.raises(OSError, match="symbolic links"):
        publisher.inspect()
    kept.replace(path)
    publisher.inspect()
    assert (publisher.damaged, _set_aside(publisher.folder)) == ([], [])


def test_too_many_open_files_do_not_count_as_a_damaged_price_store(tmp_path: Path) -> None:
    """Reader and writer report that they cannot read now; the database stays in use."""
    path = tmp_path / "crypto.db"
    with open_writer(path) as writer:
        writer.store([Price("bitcoin", 1, 100.0)])
        with limited("NOFILE", 3), pytest.raises((NotReady, StorageProblem)):
            writer.verify(whole=True)
        with limited("NOFILE", 3), pytest.raises(NotReady):
            open_reader(path)
    with limited("NOFILE", 3), pytest.raises((StorageProblem, OSError)):
        open_writer(path)
    assert _set_aside(tmp_path) == []
    with open_writer(path) as writer:
        assert writer.set_aside_as is None
        assert writer.recent("bitcoin", 0) == [(1, 100.0)]


def test_too_many_open_files_make_readers_wait_for_the_choice_of_the_source(tmp_path: Path) -> None:
    """A new choice that cannot be read now is no error of those who ask how new the data are; later it is read."""
    sample = SampleWorkspace.make(tmp_path)
    sample.fill()
    readers = Readers(sample.settings.model_copy(update={"source": Source.AUTO}))
    before = readers.publication_version()
    choice = sample.settings.run_dir / "source.json"
    choice.write_bytes(choice.read_bytes() + b"\n")
    with limited("NOFILE", 3):
        assert readers.publication_version() == "0"
        with pytest.raises(NotReady, match=r"source\.json cannot be read now"):
            readers.workspace()
    assert readers.publication_version() == before
    readers.close()


@pytest.mark.parametrize(
    ("verdict", "is_damage"),
    [
        ("Tree 4 page 7: unable to get the page. error code=266", False),  # SQLITE_IOERR_READ
        ("Tree 4 page 7: unable to get the page. error code=7", False),  # SQLITE_NOMEM
        ("Tree 4 page 7: unable to get the page. error code=11", True),  # SQLITE_CORRUPT
        ("row 3 missing from index", True),
    ],
)
def test_an_unreadable_page_is_told_from_a_damaged_one(verdict: str, is_damage: bool) -> None:
    """SQLite's quick_check reports both as text."""

    class Answering:
        def execute(self, _statement: str) -> Answering:
            return self

        def fetchone(self) -> tuple[str]:
            return (verdict,)

    with pytest.raises(sqlite3.DatabaseError) as caught:
        quick_check(Answering())  # type: ignore[arg-type]  # a connection to a disk that fails cannot be had
    assert isinstance(caught.value, sqlite3.OperationalError) is not is_damage


@pytest.mark.parametrize("content", [b"9" * 10_000, b"[" * 200_000, b"\xff", b"", b"[1]", b"{"])
def test_invalid_json_counts_as_damage(tmp_path: Path, content: bytes) -> None:
    """Broken bytes or syntax, huge numbers and deep nesting raise DamagedFile."""
    path = tmp_path / "x.json"
    path.write_bytes(content)
    with pytest.raises(DamagedFile):
        read_json(path)


@pytest.mark.parametrize("text", ["nada", "-1", "9" * 5000, "1e9", ""])
def test_an_invalid_count_of_prices_is_not_shown(tmp_path: Path, text: str) -> None:
    """The diagnostics page leaves the number out."""
    sample = SampleWorkspace.make(tmp_path)
    sample.fill()
    with sqlite3.connect(sample.workspace.database) as connection:
        connection.execute("UPDATE meta SET value = ? WHERE key = 'price_count'", (text,))
    connection.close()
    assert Readers(sample.settings).files()[0].rows is None
