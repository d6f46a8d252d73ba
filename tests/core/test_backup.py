"""A backup made while everything runs is complete and can be restored."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from alerts.rules.table import read_rule
from alerts.store import AlertStore
from core.backup import make_backup, restore_backup
from core.errors import AlreadyRunning, BadInput, NotReady, StorageProblem, WorkspaceMismatch
from core.price_store import Coin, Price, PriceWriter, open_reader, open_writer
from core.publishing.publisher import Publisher
from core.settings import Settings, load_settings
from core.workspace import Workspace, open_workspace
from tests.support.odd_files import make_link, make_pipe
from tests.support.refusals import refusal


def _settings(folder: Path, **options: object) -> Settings:
    return load_settings(**{"source": "demo", "data_dir": folder / "data", "models_dir": folder / "models", **options})


def _fill(writer: PriceWriter, count: int) -> None:
    writer.update_coins([Coin("bitcoin", "btc", "Bitcoin", 1, 1)])
    writer.store(Price("bitcoin", 1000 + number, 1.0 + number) for number in range(count))


def test_a_backup_during_writes_is_complete_and_restorable(tmp_path: Path) -> None:
    """While a writer and a publisher work, the copy has whole tables and a prefix of the prices."""
    source = open_workspace(_settings(tmp_path / "from"))
    stop = threading.Event()
    with open_writer(source.database) as writer:
        _fill(writer, 500)
        publisher = Publisher(source.processed)
        publisher.publish({"latest": pa.table({"coin": ["bitcoin"]})})

        def work() -> None:
            number = 500
            while not stop.is_set():
                writer.store([Price("bitcoin", 1000 + number, 1.0 + number)])
                publisher.publish({"latest": pa.table({"coin": ["bitcoin"] * (number % 5 + 1)})})
                number += 1

        thread = threading.Thread(target=work)
        thread.start()
        make_backup(source, tmp_path / "copy")
        stop.set()
        thread.join()
    restored = restore_backup(tmp_path / "copy", _settings(tmp_path / "to"))
    with open_reader(restored.database) as reader:
        rows = reader.range("bitcoin")
    assert len(rows) >= 500
    assert rows == [(1000 + number, 1.0 + number) for number in range(len(rows))]
    assert Publisher(restored.processed).damaged == []
    assert Publisher(restored.processed).manifest.entries["latest"].rows >= 1


def test_a_backup_of_a_large_store_ends_while_prices_come_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A price stored after each step of the copy does not make it begin again."""
    source = open_workspace(_settings(tmp_path / "from"))
    with open_writer(source.database) as writer:
        _fill(writer, 1)
    _define(source.database, "CREATE TABLE large AS SELECT zeroblob(30000000)")
    steps = 0

    class Reader(sqlite3.Connection):
        def backup(self, target: sqlite3.Connection, **options: Any) -> None:
            super().backup(target, progress=store, **options)

    def store(*_: int) -> None:
        nonlocal steps
        steps += writer.store([Price("bitcoin", 2000 + steps, 1.0)])
        assert steps < 20, "it begins again"

    with open_writer(source.database) as writer:
        monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=Reader))
        make_backup(source, tmp_path / "copy")
    assert steps


def test_what_a_killed_backup_left_goes_with_the_next_one(tmp_path: Path) -> None:
    """Also that of another day's name; the folder of a backup that still runs stays, and so do other people's."""
    source = open_workspace(_settings(tmp_path / "from"))
    with open_writer(source.database) as writer:
        _fill(writer, 3)
    copies = tmp_path / "copies"
    others = copies / ".notes.unfinished"
    others.mkdir(parents=True)
    killed, running = (_unfinished_backup(source, copies / day) for day in ("monday", "tuesday"))
    killed.kill()
    killed.wait()
    make_backup(source, copies / "wednesday")
    left = sorted(path.name.split(".")[1] for path in copies.glob(".*"))
    running.kill()
    running.wait()
    assert left == ["notes", "tuesday"]
    make_backup(source, copies / "thursday")
    assert {*copies.iterdir()} == {others, copies / "wednesday", copies / "thursday"}


def _unfinished_backup(source: Workspace, target: Path) -> subprocess.Popen[str]:
    """A process in the middle of a backup, which lasts until it is killed."""
    program = (
        "import sys, time, core.backup as backup\n"
        "from pathlib import Path\n"
        "backup._copy_published = lambda *_: (print('copying', flush=True), time.sleep(600))\n"
        "from core.settings import load_settings\n"
        "from core.workspace import Workspace, open_workspace\n"
        "folders = {'data_dir': sys.argv[1], 'models_dir': sys.argv[2]}\n"
        "backup.make_backup(open_workspace(load_settings(source='demo', **folders)), Path(sys.argv[3]))\n"
    )
    folders = [str(folder) for folder in (source.root.parent, source.models.parent, target)]
    process = subprocess.Popen([sys.executable, "-c", program, *folders], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "copying\n"
    process.stdout.close()
    return process


def test_a_backup_is_restored_with_its_own_source(tmp_path: Path) -> None:
    """With the source `auto` a simulated workspace is restored as simulated, with its seed and its rules of alerts."""
    source = open_workspace(_settings(tmp_path / "from", seed=7))
    with open_writer(source.database) as writer:
        _fill(writer, 3)
    rule = read_rule({"nome": "n", "condicao": "disco_cheio"})
    with AlertStore(source.alerts) as store:
        store.add_rule(rule)
    make_backup(source, tmp_path / "copy")
    restored = restore_backup(tmp_path / "copy", _settings(tmp_path / "to", source="auto"))
    with AlertStore(restored.alerts) as store:
        assert [one.rule for one in store.rules()] == [rule]
    assert (restored.source, restored.seed, restored.epoch_ms) == (source.source, 7, source.epoch_ms)


def test_restoring_over_prices_or_into_another_market_is_refused(tmp_path: Path) -> None:
    """Existing prices are not overwritten, and a copy is not restored into a workspace with another seed."""
    source = open_workspace(_settings(tmp_path / "from"))
    with open_writer(source.database) as writer:
        _fill(writer, 3)
        make_backup(source, tmp_path / "copy")
        with pytest.raises(AlreadyRunning):
            restore_backup(tmp_path / "copy", _settings(tmp_path / "from"))
    with refusal(BadInput, match="já tem preços"):
        restore_backup(tmp_path / "copy", _settings(tmp_path / "from"))
    with pytest.raises(WorkspaceMismatch):
        restore_backup(tmp_path / "copy", _settings(tmp_path / "to", seed=1))
    with refusal(BadInput, match="não está vazia"):
        make_backup(source, tmp_path / "copy")
    with refusal(BadInput, match="não é uma cópia"):
        restore_backup(tmp_path, _settings(tmp_path / "other"))


def test_a_restore_that_met_a_full_disk_can_be_repeated(tmp_path: Path) -> None:
    """The prices appear under their name as a whole; what broken tries and an earlier store left there is not read."""
    resource = pytest.importorskip("resource", reason="a limit of what may be written")
    source = open_workspace(_settings(tmp_path / "from"))
    with open_writer(source.database) as writer:
        _fill(writer, 5000)
    make_backup(source, tmp_path / "copy")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (65_536, limits[1]))
    try:
        with pytest.raises(StorageProblem):
            restore_backup(tmp_path / "copy", _settings(tmp_path / "to"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    target = open_workspace(_settings(tmp_path / "to"))
    assert not list(target.root.rglob("*.db*"))
    for name in (".crypto.db.unfinished", ".crypto.db.unfinished-journal", "crypto.db-journal", "crypto.db-wal"):
        (target.root / name).write_bytes(b"left by a killed process")
    restore_backup(tmp_path / "copy", _settings(tmp_path / "to"))
    assert [path.name for path in target.root.rglob("*.db*")] == ["crypto.db"]
    with open_reader(target.database) as reader:
        assert len(reader.range("bitcoin")) == 5000


def test_published_files_of_the_copy_replace_others_of_the_same_name(tmp_path: Path) -> None:
    """What a pipeline had published in the folder before, under the same numbers, is not shown as the copy's."""
    copy = _copy(tmp_path)
    before = open_workspace(_settings(tmp_path / "to"))
    Publisher(before.processed).publish({"latest": pa.table({"coin": ["ethereum", "solana"]})})
    publisher = Publisher(restore_backup(copy, _settings(tmp_path / "to")).processed)
    table = publisher.table(publisher.manifest.entries["latest"].file)
    assert table is not None
    assert table["coin"].to_pylist() == ["bitcoin"]


def _copy(folder: Path) -> Path:
    """A copy of a workspace with prices, alerts and a published table."""
    source = open_workspace(_settings(folder / "from"))
    with open_writer(source.database) as writer:
        _fill(writer, 3)
    with AlertStore(source.alerts):
        pass
    Publisher(source.processed).publish({"latest": pa.table({"coin": ["bitcoin"]})})
    make_backup(source, folder / "copy")
    return folder / "copy"


def test_a_copy_holds_and_brings_no_pickles(tmp_path: Path) -> None:
    """Models are left out of a copy, and not taken from one that somebody has put them into."""
    source = open_workspace(_settings(tmp_path / "from"))
    source.models.mkdir(parents=True)
    (source.models / "model-1.joblib").write_bytes(b"pickle")
    copy = _copy(tmp_path)
    assert not list(copy.rglob("*.joblib"))
    (copy / "models").mkdir()
    (copy / "models" / "model-1.joblib").write_bytes(b"pickle")
    restore_backup(copy, _settings(tmp_path / "to"))
    assert not list((tmp_path / "to").rglob("*.joblib"))


def _define(database: Path, *statements: str) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def _change_meta(copy: Path, change: dict[str, object]) -> None:
    for path in copy.glob("workspace*.json"):
        path.write_text(json.dumps({**json.loads(path.read_bytes()), **change}))


def _name_file(copy: Path, file: str) -> None:
    path = copy / "processed" / "manifest.json"
    manifest = json.loads(path.read_bytes())
    manifest["entries"]["latest"]["file"] = file
    path.write_text(json.dumps(manifest))


HOSTILE: dict[str, Callable[[Path], object]] = {
    "a trigger on prices": lambda copy: _define(
        copy / "crypto.db", "CREATE TRIGGER x AFTER INSERT ON settled_prices BEGIN DELETE FROM settled_prices; END"
    ),
    "a trigger on alerts": lambda copy: _define(
        copy / "alerts.db", "CREATE TRIGGER x AFTER INSERT ON alerts BEGIN DELETE FROM alerts; END"
    ),
    "another view": lambda copy: _define(
        copy / "crypto.db", "DROP VIEW prices", "CREATE VIEW prices AS SELECT 1 AS coin_id"
    ),
    "a link": lambda copy: make_link(copy / "processed" / "x.parquet", "/etc/hostname"),
    "links in a circle": lambda copy: make_link(copy / "processed" / "again", "."),
    "a pipe": lambda copy: make_pipe(copy / "processed" / "pipe"),
    "a file elsewhere": lambda copy: _name_file(copy, "../../../secret.parquet"),
    "a file that is missing": lambda copy: _name_file(copy, "missing.parquet"),
    "an absurd epoch": lambda copy: _change_meta(copy, {"epoch_ms": 10**40}),
    "a currency that is a path": lambda copy: _change_meta(copy, {"currency": "../../x"}),
    "no source": lambda copy: _change_meta(copy, {"source": None}),
    "no database": lambda copy: (copy / "crypto.db").write_bytes(b"SQLite format 3\0" + bytes(5000)),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_copy_from_somebody_else_is_refused_before_anything_is_restored(what: str, tmp_path: Path) -> None:
    """The sentence names the copy, and the folders stay without prices, alerts and tables."""
    copy = _copy(tmp_path)
    HOSTILE[what](copy)
    with refusal(BadInput, "copy"):
        restore_backup(copy, _settings(tmp_path / "to", source="auto"))
    names = {path.name for path in (tmp_path / "to").rglob("*")}
    assert not names & {"crypto.db", "alerts.db", "manifest.json"}


def test_without_prices_a_backup_is_refused(tmp_path: Path) -> None:
    """Before the first poll a backup is refused and leaves no folder."""
    with pytest.raises(NotReady):
        make_backup(open_workspace(_settings(tmp_path)), tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_prices_on_a_server_are_not_copied_by_this_command(tmp_path: Path) -> None:
    """Both ways the sentence names pg_dump."""
    url = "postgresql://db.example/crypto"
    source = open_workspace(_settings(tmp_path / "from"))
    with open_writer(source.store) as writer:
        _fill(writer, 5)
    make_backup(source, tmp_path / "copy")
    with refusal(BadInput, "pg_dump"):
        make_backup(open_workspace(_settings(tmp_path / "from", database_url=url)), tmp_path / "other")
    with refusal(BadInput, "pg_dump"):
        restore_backup(tmp_path / "copy", _settings(tmp_path / "to", database_url=url))
