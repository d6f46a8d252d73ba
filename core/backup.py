"""Back up one workspace while everything runs, and restore it: `python -m core.backup --help`."""

from __future__ import annotations

import shutil
import sqlite3
import sys
import tempfile
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final

from core.errors import AlreadyRunning, BadInput, DamagedFile, NotReady, StorageProblem, message_of
from core.files import check_regular, database_logs, move, read_json, sync_folder, write_json
from core.price_store.sqlite.queries import writing
from core.price_store.sqlite.schema import refuse_foreign_schema
from core.processes.command_line import CommandLine, run_command
from core.processes.lifecycle import hold_lock
from core.publishing.manifest import MANIFEST, Manifest
from core.publishing.parquet import MOST_TABLE_BYTES
from core.settings import Settings, Source
from core.wording import message, say
from core.workspace import META_FILE, Workspace, current_workspace, open_workspace, read_meta

__all__ = ["main", "make_backup", "restore_backup"]

_ALERTS: Final = "alerts.db"
_TRIES: Final = 5
_UNFINISHED: Final = ".unfinished"
_LOCK: Final = "lock"


def make_backup(workspace: Workspace, target: Path) -> None:
    """Copy a workspace into the new folder `target`: price store, alerts, published tables.

    Models stay here: they are pickles, and a copy may come from anybody. Where it is restored, the pipeline learns
    again from the prices.

    SQLite's backup gives a consistent state of the price store while the collector writes. Of the published tables, the
    manifest is copied last, after all files that it names. `target` appears only when the copy is complete.

    Raises:
        BadInput: `target` is not empty, or the prices are on a server.
        NotReady: no prices are stored yet.
        OSError, StorageProblem: the disk is full or cannot be written.
        DamagedFile: the price store is damaged.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise BadInput(message("backup.target_exists", folder=str(target)))
    if workspace.server is not None:
        raise BadInput(message("backup.server", folder=str(workspace.root)))
    if not workspace.database.exists():
        raise NotReady(message("prices.none_stored"))
    target.parent.mkdir(parents=True, exist_ok=True)
    with _unfinished(target) as copy:
        write_json(copy / META_FILE, read_meta(workspace.root))
        _copy_database(workspace.database, copy / "crypto.db")
        if workspace.alerts.exists():
            _copy_database(workspace.alerts, copy / _ALERTS)
        _copy_published(workspace.processed, copy / "processed")
        if target.exists():
            target.rmdir()
        move(copy, target)


@contextmanager
def _unfinished(target: Path) -> Iterator[Path]:
    """A new folder for a copy, beside `target`, deleted at the end; those that killed backups left there go first."""
    for left in target.parent.glob(f".*{_UNFINISHED}/{_LOCK}"):
        with suppress(AlreadyRunning, OSError):  # another backup runs, or its folder may not be touched
            hold_lock(left, message("lock.backup")).release()
            shutil.rmtree(left.parent, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", suffix=_UNFINISHED, dir=target.parent) as folder:
        lock = hold_lock(Path(folder) / _LOCK, message("lock.backup"))
        try:
            copy = Path(folder) / "copy"
            copy.mkdir()
            yield copy
        finally:
            lock.release()


def restore_backup(source: Path, settings: Settings) -> Workspace:
    """Restore a copy into the folders that `settings` name, which must hold no prices yet.

    With the source `auto`, source, currency and seed come from the copy.

    Raises:
        BadInput: `source` is not a copy of a workspace, is damaged, or the workspace already has prices.
        WorkspaceMismatch: the copy was made with another source, currency, seed or recording.
        AlreadyRunning: a collector or a pipeline runs in this workspace.
    """
    if not (source / META_FILE).is_file() or not (source / "crypto.db").is_file():
        raise BadInput(message("backup.no_copy", folder=str(source)))
    with _refusing_damaged(source):
        meta = read_meta(source)
    if settings.source is Source.AUTO:
        from_copy = {"source": Source(meta["source"]), "currency": meta["currency"], "seed": meta.get("seed") or 0}
        settings = settings.model_copy(update=from_copy)
    if settings.source is Source.REPLAY and settings.replay is None:
        raise BadInput(message("backup.needs_replay"))
    workspace = open_workspace(settings, meta=meta)
    if workspace.server is not None:
        raise BadInput(message("backup.server", folder=str(workspace.root)))
    with (
        hold_lock(workspace.database.with_suffix(".lock"), message("lock.prices")),
        workspace.hold_pipeline(),
    ):
        if workspace.database.exists():
            raise BadInput(message("backup.has_prices", folder=str(workspace.root)))
        with _refusing_damaged(source):
            _restore(source, workspace)
    return workspace


def _restore(source: Path, workspace: Workspace) -> None:
    """Take from a copy what its manifest names, and databases that hold nothing but data."""
    for path in source.rglob("*"):
        if path.is_symlink() or not (path.is_dir() or path.is_file()):
            raise DamagedFile(message("files.not_regular", file=path.name))
    refuse_foreign_schema(source / "crypto.db")
    if (source / _ALERTS).is_file():
        _refuse_programs(source / _ALERTS)
    _copy_published(source / "processed", workspace.processed)
    if (source / _ALERTS).is_file():
        _copy_database(source / _ALERTS, workspace.alerts)
    _restore_prices(source / "crypto.db", workspace.database)


def _restore_prices(source: Path, target: Path) -> None:
    """Copy the price store, which gets its name when it is complete: prices there would forbid another try."""
    unfinished = target.with_name(f".{target.name}{_UNFINISHED}")
    _delete(*database_logs(target), unfinished, *database_logs(unfinished))
    try:
        _copy_database(source, unfinished)
        move(unfinished, target)
    finally:
        _delete(unfinished, *database_logs(unfinished))
    sync_folder(target.parent)


def _delete(*files: Path) -> None:
    for file in files:
        file.unlink(missing_ok=True)


def _refuse_programs(database: Path) -> None:
    """Refuse triggers and views, which would run whenever the tables are used."""
    with writing(), closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)) as reader:
        found = reader.execute("SELECT name FROM sqlite_master WHERE type IN ('trigger', 'view')").fetchone()
    if found is not None:
        raise DamagedFile(f"{database.name}: foreign definition {found[0]:.60}")


@contextmanager
def _refusing_damaged(source: Path) -> Iterator[None]:
    try:
        yield
    except (DamagedFile, FileNotFoundError) as error:
        raise BadInput(message("backup.damaged", folder=str(source), reason=message_of(error))) from error


def _copy_database(source: Path, target: Path) -> None:
    """Copy a database within one read transaction.

    In several steps, SQLite starts again from the first page after each commit of another process. What is committed
    meanwhile stays in the write-ahead log, which is written back afterwards; where there is no such log, writers wait.
    """
    with (
        writing(),
        closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as reader,
        closing(sqlite3.connect(target)) as writer,
    ):
        reader.backup(writer)


def _copy_published(source: Path, target: Path) -> None:
    """Copy the files that the manifest names; if one was superseded meanwhile, retry with the newer manifest."""
    copied: set[str] = set()
    for attempt in range(_TRIES):
        try:
            manifest = Manifest.from_json(read_json(source / MANIFEST))
            for file in sorted(manifest.files() - copied):
                (target / file).parent.mkdir(parents=True, exist_ok=True)
                check_regular(source / file, MOST_TABLE_BYTES)
                shutil.copyfile(source / file, target / file)
                copied.add(file)
            write_json(target / MANIFEST, manifest.to_json())
            return
        except FileNotFoundError:
            if not (source / MANIFEST).exists():
                return
            if attempt == _TRIES - 1:
                raise


def main(arguments: Sequence[str] | None = None) -> int:
    """Make or restore a backup, as the command line says."""
    line = CommandLine("core.backup")
    choice = line.one_of()
    choice("--out", type=Path, value="folder")
    choice("--restore", type=Path, value="folder")
    return run_command(line, _copy, arguments)


def _copy(settings: Settings, given: Namespace) -> int:
    try:
        if given.out is not None:
            here = settings.model_copy(
                update={"artifacts_url": None}
            )  # the pipeline's folder, not a copy that follows it
            make_backup(current_workspace(here), given.out)
            done = message("backup.done", folder=str(given.out))
        else:
            done = message("backup.restored", folder=str(restore_backup(given.restore, settings).root))
    except (StorageProblem, DamagedFile) as error:
        raise BadInput(message("backup.failed", reason=error.message)) from error
    except AlreadyRunning as error:
        raise AlreadyRunning(message("backup.running", reason=error.message)) from error
    print(say(done))  # noqa: T201 - a person started this command
    return 0


if __name__ == "__main__":
    sys.exit(main())
