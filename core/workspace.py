"""Workspaces: the folders of one source. Live, simulated and replayed prices never share one."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from core.errors import ConfigurationError, DamagedFile, NotReady, WorkspaceMismatch
from core.files import read_bytes, read_json, set_aside, write_atomically, write_json
from core.processes.lifecycle import hold_lock
from core.settings import Settings, Source
from core.store_address import BucketAddress, ServerAddress, StoreAddress
from core.times import iso, now_ms
from core.wording import Message, message

__all__ = [
    "META_FILE",
    "PIPELINE_LOCK",
    "SourceChoice",
    "Workspace",
    "current_workspace",
    "live_store",
    "open_workspace",
    "publish_source",
    "read_meta",
    "recording_hash",
    "schema_name",
    "source_choice",
    "workspace_for_step",
]

META_FILE: Final = "workspace.json"
PIPELINE_LOCK: Final = "pipeline.lock"
"""In the folder of the published files, held by the process that writes them."""

_META_COPY: Final = "workspace-copy.json"
_META_SCHEMA: Final = 1
_SCHEMA_OF: Final = {Source.COINGECKO: "live", Source.DEMO: "demo", Source.REPLAY: "replay"}

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Workspace:
    """The folders of one source; `epoch_ms` is when its simulation or replay began, in UTC milliseconds.

    Attributes:
        bucket: where what is published is copied to, if anywhere.
        follows: whether the published files come from there, instead of from a pipeline on this machine.
    """

    source: Source
    currency: str
    root: Path
    models: Path
    epoch_ms: int
    seed: int | None = None
    recording: str | None = None
    server: ServerAddress | None = None
    bucket: BucketAddress | None = None
    follows: bool = False

    @property
    def store(self) -> StoreAddress:
        """The price store, written by the collector alone: the schema on the server, if there is one, or the file."""
        return self.server or self.database

    @property
    def database(self) -> Path:
        """The file of a price store without a server."""
        return self.root / "crypto.db"

    @property
    def processed(self) -> Path:
        """Features, forecasts, log and scores, written by the pipeline alone, or by what follows one elsewhere."""
        return self.root / ("followed" if self.follows else "processed")

    @property
    def alerts(self) -> Path:
        """Rules of the dashboard, and what was told; written by the alert process and the dashboard."""
        return self.root / "alerts.db"

    @contextmanager
    def hold_pipeline(self) -> Iterator[None]:
        """Hold the lock of all files that the pipeline writes.

        Raises:
            AlreadyRunning: another pipeline or a single step holds it.
        """
        lock = hold_lock(self.processed / PIPELINE_LOCK, message("lock.pipeline"))
        try:
            yield
        finally:
            lock.release()

    @property
    def is_live(self) -> bool:
        """Whether the prices come live from CoinGecko."""
        return self.source is Source.COINGECKO


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
    expected = _expected(settings, recording)
    try:
        found = read_meta(folder)
    except FileNotFoundError:
        found = meta or {"schema": _META_SCHEMA, **expected, "epoch_ms": now_ms(), "created_at": iso(now_ms())}
    except DamagedFile as error:
        raise WorkspaceMismatch(message("workspace.meta_damaged", path=str(path), reason=error.message)) from error
    _refuse_mismatch(path, found, expected)
    _repair_meta(folder, found)
    return Workspace(
        source=settings.source,
        currency=settings.currency,
        root=folder,
        models=settings.models_dir / folder.relative_to(settings.data_dir),
        epoch_ms=int(found["epoch_ms"]),
        seed=found.get("seed"),
        recording=found.get("recording"),
        server=_server(settings, settings.source, found),
        bucket=_bucket(settings, settings.source, found),
    )


@dataclass(frozen=True)
class SourceChoice:
    """Content of run/source.json: which workspace API and dashboard show, which start before `auto` is decided.

    `folder` is relative to the data folder; `notice` is shown to people beside the prices.
    """

    source: Source
    folder: str
    notice: Message | None
    decided_at: str


_CHOICE: Final = TypeAdapter(SourceChoice)


def publish_source(settings: Settings, workspace: Workspace, notice: Message | None) -> None:
    """Write run/source.json, unless it already says the same."""
    relative = workspace.root.relative_to(settings.data_dir).as_posix()
    known = source_choice(settings)
    if known is None or (known.source, known.folder, known.notice) != (workspace.source, relative, notice):
        choice = SourceChoice(workspace.source, relative, notice, iso(now_ms()))
        write_atomically(_choice_file(settings), _CHOICE.dump_json(choice))


def source_choice(settings: Settings) -> SourceChoice | None:
    """Read the suite's choice of the source; None before it has decided or if the file is damaged."""
    try:
        return _CHOICE.validate_json(read_bytes(_choice_file(settings)))
    except (FileNotFoundError, ValidationError):
        return None


def _choice_file(settings: Settings) -> Path:
    return settings.run_dir / "source.json"


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
            server=_server(settings, Source(meta["source"]), meta),
            bucket=_bucket(settings, Source(meta["source"]), meta),
            follows=settings.artifacts_url is not None,
        )
    except (FileNotFoundError, DamagedFile, KeyError, ValueError) as error:
        raise NotReady(message("workspace.source_undecided")) from error


def live_store(settings: Settings) -> StoreAddress:
    """The store of live prices, whether its workspace exists or not."""
    server = _server(settings, Source.COINGECKO, {"currency": settings.currency})
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


def read_meta(folder: Path) -> dict[str, Any]:
    """Read workspace.json, or its copy if the file is damaged or missing.

    Raises:
        FileNotFoundError: the folder is not a workspace.
        DamagedFile: file and copy are damaged.
    """
    try:
        return read_json(folder / META_FILE)
    except (FileNotFoundError, DamagedFile) as error:
        try:
            return read_json(folder / _META_COPY)
        except (FileNotFoundError, DamagedFile):
            raise error from None


def recording_hash(path: Path) -> str:
    """First 16 hex digits of the SHA-256 of a recording.

    Raises:
        ConfigurationError: the file cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError as error:
        raise ConfigurationError(
            message("recording.unreadable", path=str(path), reason=error.strerror or str(error))
        ) from error
    return digest.hexdigest()[:16]


def schema_name(source: Source, meta: Mapping[str, Any]) -> str:
    """The schema of a workspace on a server; each simulation and each replay has its own, from its first moment on."""
    parts = [_SCHEMA_OF[source], str(meta["currency"])]
    if source is not Source.COINGECKO:
        parts.append(str(int(meta["epoch_ms"])))
    return "_".join(parts)


def _server(settings: Settings, source: Source, meta: Mapping[str, Any]) -> ServerAddress | None:
    url = settings.store_url or settings.store_read_url
    return None if url is None else ServerAddress(url, schema_name(source, meta), settings.store_read_url)


def _bucket(settings: Settings, source: Source, meta: Mapping[str, Any]) -> BucketAddress | None:
    if settings.bucket is None:
        return None
    name, folder = settings.bucket
    return BucketAddress(name, "/".join(filter(None, (folder, schema_name(source, meta), "processed"))))


def _published_meta(settings: Settings, folder: Path) -> dict[str, Any]:
    """The content of workspace.json, or what it says of live prices on a machine that only follows them."""
    try:
        return read_meta(folder)
    except FileNotFoundError:
        if settings.artifacts_url is None or folder != settings.data_dir:
            raise
        return {"source": Source.COINGECKO, "currency": settings.currency, "epoch_ms": 0}


def _repair_meta(folder: Path, meta: dict[str, Any]) -> None:
    """Restore file and copy; rename a damaged one."""
    for name in (_META_COPY, META_FILE):
        path = folder / name
        try:
            is_whole = read_json(path) == meta
        except FileNotFoundError:
            is_whole = False
        except DamagedFile as error:
            _log.error("%s is damaged (%s): set aside as %s", name, error, set_aside(path).name)
            is_whole = False
        if not is_whole:
            write_json(path, meta)


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


def _expected(settings: Settings, recording: str | None) -> dict[str, Any]:
    return {
        "source": settings.source.value,
        "currency": settings.currency,
        "seed": settings.seed if settings.source is Source.DEMO else None,
        "recording": recording,
        "replay_start": settings.replay_start if settings.source is Source.REPLAY else None,
    }


def _refuse_mismatch(path: Path, meta: dict[str, Any], expected: dict[str, Any]) -> None:
    for key, value in expected.items():
        if meta.get(key) != value:
            raise WorkspaceMismatch(
                message(
                    "workspace.mismatch",
                    folder=str(path.parent),
                    name=key,
                    found=str(meta.get(key)),
                    asked=str(value),
                )
            )
