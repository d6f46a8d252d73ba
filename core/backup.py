"""Back up one workspace while everything runs, and restore it: `python -m core.backup --help`."""

from __future__ import annotations

import shutil
import sqlite3
import sys
import tempfile
from argparse import Namespace
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from core.errors import AlreadyRunning, BadInput, DamagedFile, NotReady, StorageProblem
from core.files import read_json, write_json
from core.price_store.sqlite.queries import writing
from core.processes.command_line import CommandLine, run_command
from core.processes.lifecycle import hold_lock
from core.publishing.manifest import MANIFEST, Manifest
from core.settings import Settings, Source
from core.wording import message, say
from core.workspace import META_FILE, Workspace, current_workspace, open_workspace, read_meta

__all__ = ["main", "make_backup", "restore_backup"]

_ALERTS: Final = "alerts.db"
_TRIES: Final = 5
_PAGES: Final = 2_000
_PAUSE_S: Final = 0.01


def make_backup(workspace: Workspace, target: Path) -> None:
    """Copy a workspace into the new folder `target`: price store, alerts, published tables, models.

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
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as unfinished:
        copy = Path(unfinished) / "copy"
        copy.mkdir()
        write_json(copy / META_FILE, read_meta(workspace.root))
        _copy_database(workspace.database, copy / "crypto.db")
        if workspace.alerts.exists():
            _copy_database(workspace.alerts, copy / _ALERTS)
        _copy_published(workspace.processed, copy / "processed")
        if workspace.models.is_dir():
            _copy_models(workspace.models, copy / "models")
        if target.exists():
            target.rmdir()
        copy.rename(target)


def restore_backup(source: Path, settings: Settings) -> Workspace:
    """Restore a copy into the folders that `settings` name, which must hold no prices yet.

    With the source `auto`, source, currency and seed come from the copy.

    Raises:
        BadInput: `source` is not a copy of a workspace, or the workspace already has prices.
        WorkspaceMismatch: the copy was made with another source, currency, seed or recording.
        AlreadyRunning: a collector or a pipeline runs in this workspace.
    """
    if not (source / META_FILE).is_file() or not (source / "crypto.db").is_file():
        raise BadInput(message("backup.no_copy", folder=str(source)))
    meta = _meta_of(source)
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
        for part, place in (("processed", workspace.processed), ("models", workspace.models)):
            if (source / part).is_dir():
                shutil.copytree(source / part, place, dirs_exist_ok=True)
        workspace.models.mkdir(parents=True, exist_ok=True)
        workspace.models.chmod(0o700)
        if (source / _ALERTS).is_file():
            _copy_database(source / _ALERTS, workspace.alerts)
        _copy_database(source / "crypto.db", workspace.database)
    return workspace


def _meta_of(source: Path) -> dict[str, Any]:
    try:
        return read_json(source / META_FILE)
    except DamagedFile as error:
        raise BadInput(message("backup.damaged", folder=str(source), reason=error.message)) from error


def _copy_database(source: Path, target: Path) -> None:
    with (
        writing(),
        closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as reader,
        closing(sqlite3.connect(target)) as writer,
    ):
        reader.backup(writer, pages=_PAGES, sleep=_PAUSE_S)


def _copy_published(source: Path, target: Path) -> None:
    """Copy the files that the manifest names; if one was superseded meanwhile, retry with the newer manifest."""
    for attempt in range(_TRIES):
        try:
            manifest = Manifest.from_json(read_json(source / MANIFEST))
            for file in sorted(manifest.files()):
                (target / file).parent.mkdir(parents=True, exist_ok=True)
                if not (target / file).exists():
                    shutil.copyfile(source / file, target / file)
            write_json(target / MANIFEST, manifest.to_json())
            return
        except FileNotFoundError:
            if not (source / MANIFEST).exists():
                return
            if attempt == _TRIES - 1:
                raise


def _copy_models(source: Path, target: Path) -> None:
    """Copy the newest model and its card; if it changed meanwhile, its hash is wrong and it is retrained on use."""
    target.mkdir(exist_ok=True)
    target.chmod(0o700)
    try:
        card = read_json(source / "model.json")
        shutil.copyfile(source / card["file"], target / card["file"])
    except (FileNotFoundError, DamagedFile, KeyError):
        return
    write_json(target / "model.json", card)


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
