"""Opens the workspace of a source, and finds the one that readers show."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from core.errors import DamagedFile, NotReady, WorkspaceMismatch
from core.settings import Settings, Source
from core.store_address import StoreAddress
from core.times import iso, now_ms
from core.wording import message
from core.workspace.addresses import bucket_address, server_address
from core.workspace.folders import Workspace
from core.workspace.meta import META_FILE, META_SCHEMA, expected_meta, read_meta, refuse_mismatch, repair_meta
from core.workspace.recordings import recording_hash
from core.workspace.source_choice import source_choice

__all__ = ["current_workspace", "live_store", "open_workspace", "workspace_for_step"]


def open_workspace(settings: Settings, *, meta: dict[str, Any] | None = None) -> Workspace:
    """Open the workspace of `settings.source`; create it on first use.

    Args:
        settings: they must match those that the workspace was created with.
        meta: content of workspace.json when a backup is restored; otherwise it is written from `settings`.

    Raises:
        WorkspaceMismatch: the folder was made with another currency, seed or recording.
        NotReady: the source is still `auto`.
        ConfigurationError: the recording cannot be read.
    """
    if settings.source is Source.AUTO:
        raise NotReady(message("workspace.source_undecided"))
    recording = _recording(settings)
    folder = _folder(settings, recording)
    path = folder / META_FILE
    expected = expected_meta(settings, recording)
    try:
        found = read_meta(folder)
    except FileNotFoundError:
        found = meta or {"schema": META_SCHEMA, **expected, "epoch_ms": now_ms(), "created_at": iso(now_ms())}
    except DamagedFile as error:
        raise WorkspaceMismatch(message("workspace.meta_damaged", path=str(path), reason=error.message)) from error
    refuse_mismatch(path, found, expected)
    repair_meta(folder, found)
    return Workspace(
        source=settings.source,
        currency=settings.currency,
        root=folder,
        models=settings.models_dir / folder.relative_to(settings.data_dir),
        epoch_ms=int(found["epoch_ms"]),
        seed=found.get("seed"),
        recording=found.get("recording"),
        server=server_address(settings, settings.source, found),
        bucket=bucket_address(settings, settings.source, found),
    )


def current_workspace(settings: Settings) -> Workspace:
    """Find the workspace that readers show, without creating one.

    It is the one that the settings name; with the source `auto`, the one that the suite chose, or else live prices.

    Raises:
        NotReady: it does not exist yet.
    """
    choice = source_choice(settings) if settings.source is Source.AUTO else None
    try:
        folder = settings.data_dir / choice.folder if choice else _folder(settings, _recording(settings))
        meta = _published_meta(settings, folder)
        return Workspace(
            source=Source(meta["source"]),
            currency=meta["currency"],
            root=folder,
            models=settings.models_dir / folder.relative_to(settings.data_dir),
            epoch_ms=int(meta["epoch_ms"]),
            seed=meta.get("seed"),
            recording=meta.get("recording"),
            server=server_address(settings, Source(meta["source"]), meta),
            bucket=bucket_address(settings, Source(meta["source"]), meta),
            follows=settings.artifacts_url is not None,
        )
    except (FileNotFoundError, DamagedFile, KeyError, ValueError) as error:
        raise NotReady(message("workspace.source_undecided")) from error


def live_store(settings: Settings) -> StoreAddress:
    """The store of live prices, whether its workspace exists or not."""
    server = server_address(settings, Source.COINGECKO, {"currency": settings.currency})
    return server or settings.data_dir / "crypto.db"


def workspace_for_step(settings: Settings) -> Workspace:
    """Open the workspace of a single command: the one that readers show, or a new one for live prices.

    Raises:
        WorkspaceMismatch: the folder was made with other settings.
        ConfigurationError: the recording cannot be read.
    """
    if settings.source is not Source.AUTO:
        return open_workspace(settings)
    try:
        return replace(current_workspace(settings), follows=False)
    except NotReady:
        return open_workspace(settings.model_copy(update={"source": Source.COINGECKO}))


def _published_meta(settings: Settings, folder: Path) -> dict[str, Any]:
    """The content of workspace.json, or what it says of live prices on a machine that only follows them."""
    try:
        return read_meta(folder)
    except FileNotFoundError:
        if settings.artifacts_url is None or folder != settings.data_dir:
            raise
        return {"source": Source.COINGECKO, "currency": settings.currency, "epoch_ms": 0}


def _recording(settings: Settings) -> str | None:
    if settings.source is not Source.REPLAY or settings.replay is None:
        return None
    return recording_hash(settings.replay)


def _folder(settings: Settings, recording: str | None) -> Path:
    match settings.source:
        case Source.DEMO:
            return settings.data_dir / "demo"
        case Source.REPLAY:
            return settings.data_dir / "replay" / str(recording)
        case _:
            return settings.data_dir
