"""A consistent copy of one workspace while everything runs, and the way back. `python -m core.backup --help`."""

from __future__ import annotations

import argparse
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from core.errors import AlreadyRunning, BadInput, DamagedFile, NotReady, StorageProblem
from core.files import read_json, write_json
from core.price_store.rows import writing
from core.processes.lifecycle import hold_lock, run_main
from core.publishing.manifest import MANIFEST, Manifest
from core.settings import Settings, Source, load_settings
from core.workspace import META_FILE, Workspace, current_workspace, open_workspace, read_meta

__all__ = ["main", "make_backup", "restore_backup"]

_TRIES: Final = 5
_PAGES: Final = 2_000
_PAUSE_S: Final = 0.01


def make_backup(workspace: Workspace, target: Path) -> None:
    """Copy a workspace into the new folder `target`: price store, published tables, models.

    SQLite's own backup gives one moment of the price store while the collector writes; of the published tables the
    manifest is copied last, after every file that it names. Until everything is there, nothing lies at `target`.

    Raises:
        BadInput: `target` already holds something.
        NotReady: there is nothing to copy yet.
        OSError, StorageProblem: the disk refused.
        DamagedFile: the price store is broken.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise BadInput(f"{target} já existe e não está vazia")
    if not workspace.database.exists():
        raise NotReady("ainda não há preços guardados para copiar")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as unfinished:
        copy = Path(unfinished) / "copy"
        copy.mkdir()
        write_json(copy / META_FILE, read_meta(workspace.root))
        _copy_database(workspace.database, copy / "crypto.db")
        _copy_published(workspace.processed, copy / "processed")
        if workspace.models.is_dir():
            _copy_models(workspace.models, copy / "models")
        if target.exists():
            target.rmdir()
        copy.rename(target)


def restore_backup(source: Path, settings: Settings) -> Workspace:
    """Put a copy back into the folders that `settings` name, which must hold no prices yet.

    With the source `auto` the copy itself says which source, currency and seed it belongs to.

    Raises:
        BadInput: `source` is no copy of a workspace, or the workspace already has prices.
        WorkspaceMismatch: the copy was made with another source, currency, seed or recording.
        AlreadyRunning: a collector or a pipeline works there.
    """
    if not (source / META_FILE).is_file() or not (source / "crypto.db").is_file():
        raise BadInput(f"{source} não é uma cópia feita por core.backup")
    meta = _meta_of(source)
    if settings.source is Source.AUTO:
        told = {"source": Source(meta["source"]), "currency": meta["currency"], "seed": meta.get("seed") or 0}
        settings = settings.model_copy(update=told)
    if settings.source is Source.REPLAY and settings.replay is None:
        raise BadInput("a cópia é de um replay: diga de qual gravação com CRYPTO_REPLAY")
    workspace = open_workspace(settings, meta=meta)
    with (
        hold_lock(workspace.database.with_suffix(".lock"), "a base de preços"),
        workspace.hold_pipeline(),
    ):
        if workspace.database.exists():
            raise BadInput(f"{workspace.root} já tem preços: use --data-dir OUTRA_PASTA ou mova a pasta antes")
        for part, place in (("processed", workspace.processed), ("models", workspace.models)):
            if (source / part).is_dir():
                shutil.copytree(source / part, place, dirs_exist_ok=True)
        workspace.models.mkdir(parents=True, exist_ok=True)
        workspace.models.chmod(0o700)
        _copy_database(source / "crypto.db", workspace.database)
    return workspace


def _meta_of(source: Path) -> dict[str, Any]:
    try:
        return read_json(source / META_FILE)
    except DamagedFile as error:
        raise BadInput(f"a cópia {source} está danificada: {error}") from error


def _copy_database(source: Path, target: Path) -> None:
    with (
        writing(),
        closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as reader,
        closing(sqlite3.connect(target)) as writer,
    ):
        reader.backup(writer, pages=_PAGES, sleep=_PAUSE_S)


def _copy_published(source: Path, target: Path) -> None:
    """Copy what the manifest names; a file that was superseded meanwhile means: begin again with the newer manifest."""
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
    """Copy the newest model and its card; a model that changed meanwhile is noticed by its hash and trained afresh."""
    target.mkdir(exist_ok=True)
    target.chmod(0o700)
    try:
        card = read_json(source / "model.json")
        shutil.copyfile(source / card["file"], target / card["file"])
    except (FileNotFoundError, DamagedFile, KeyError):
        return
    write_json(target / "model.json", card)


def main(arguments: Sequence[str] | None = None) -> int:
    """Copy, or put back."""
    parser = argparse.ArgumentParser(
        prog="python -m core.backup",
        description="Copia os dados enquanto tudo roda, ou restaura uma cópia numa pasta ainda vazia.",
    )
    choice = parser.add_mutually_exclusive_group(required=True)
    choice.add_argument("--out", type=Path, metavar="PASTA", help="pasta nova para a cópia")
    choice.add_argument("--restore", type=Path, metavar="PASTA", help="cópia a restaurar")
    options = parser.parse_args(arguments)
    settings = load_settings()
    try:
        if options.out is not None:
            make_backup(current_workspace(settings), options.out)
            print(f"cópia pronta em {options.out}")  # noqa: T201 - a person started this command
        else:
            print(f"restaurado em {restore_backup(options.restore, settings).root}")  # noqa: T201 - as above
    except NotReady as error:
        raise BadInput(str(error)) from error
    except (StorageProblem, DamagedFile) as error:
        raise BadInput(f"não foi possível copiar: {error}") from error
    except AlreadyRunning as error:
        raise AlreadyRunning(f"pare o sistema antes de restaurar: {error}") from error
    return 0


if __name__ == "__main__":
    sys.exit(run_main(main))
