"""Folders of one source: live, simulated and replayed prices never share one."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from core.errors import ConfigurationError, DamagedFile, NotReady, WorkspaceMismatch
from core.files import read_json, set_aside, write_json
from core.processes.lifecycle import hold_lock
from core.settings import Settings, Source
from core.times import iso, now_ms

__all__ = [
    "META_FILE",
    "Workspace",
    "current_workspace",
    "open_workspace",
    "publish_source",
    "read_meta",
    "recording_hash",
]

META_FILE: Final = "workspace.json"
_META_COPY: Final = "workspace-copy.json"
_META_SCHEMA: Final = 1

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Workspace:
    """Where one source's files lie; `epoch_ms` is the moment at which a replay started to play."""

    source: Source
    currency: str
    root: Path
    models: Path
    epoch_ms: int
    seed: int | None = None
    recording: str | None = None

    @property
    def database(self) -> Path:
        """The price store, written by the collector alone."""
        return self.root / "crypto.db"

    @property
    def processed(self) -> Path:
        """Features, forecasts, log and scores, written by the pipeline alone."""
        return self.root / "processed"

    @contextmanager
    def hold_pipeline(self) -> Iterator[None]:
        """Hold the lock of everything that the pipeline writes.

        Raises:
            AlreadyRunning: another pipeline, or a single step, holds it.
        """
        lock = hold_lock(self.processed / "pipeline.lock", "o pipeline desta pasta")
        try:
            yield
        finally:
            lock.release()

    @property
    def is_live(self) -> bool:
        """Whether the prices are CoinGecko's own, of now."""
        return self.source is Source.COINGECKO


def open_workspace(settings: Settings, *, meta: dict[str, Any] | None = None) -> Workspace:
    """The workspace of `settings.source`, made on first use, with the meta file `meta` where a copy is restored.

    Raises:
        WorkspaceMismatch: the folder was made with another currency, seed or recording.
        NotReady: the source is still `auto`.
        ConfigurationError: the recording cannot be read.
    """
    if settings.source is Source.AUTO:
        raise NotReady("a fonte dos preços ainda não foi decidida")
    recording = _recording(settings)
    folder = _folder(settings, recording)
    path = folder / META_FILE
    expected = _expected(settings, recording)
    try:
        found = read_meta(folder)
    except FileNotFoundError:
        found = meta or {"schema": _META_SCHEMA, **expected, "epoch_ms": now_ms(), "created_at": iso(now_ms())}
    except DamagedFile as error:
        raise WorkspaceMismatch(f"{path} e sua cópia estão danificados ({error}): use outro --data-dir") from error
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
    )


def publish_source(settings: Settings, workspace: Workspace, notice: str | None) -> None:
    """Tell API and dashboard, which start before `auto` is decided, where to read; nothing changes where it says so."""
    path = settings.run_dir / "source.json"
    relative = workspace.root.relative_to(settings.data_dir).as_posix()
    choice = {"source": workspace.source.value, "folder": relative, "notice": notice}
    try:
        found = read_json(path)
    except (FileNotFoundError, DamagedFile):
        found = {}
    if any(found.get(name) != value for name, value in choice.items()):
        write_json(path, {**choice, "decided_at": iso(now_ms())})


def current_workspace(settings: Settings) -> Workspace:
    """The workspace that readers show: the one named by the settings, or the one the suite decided on; never makes one.

    Raises:
        NotReady: the suite has not decided yet, or nothing was ever collected.
    """
    try:
        if settings.source is Source.AUTO:
            folder = settings.data_dir / read_json(settings.run_dir / "source.json")["folder"]
        else:
            folder = _folder(settings, _recording(settings))
        meta = read_meta(folder)
        return Workspace(
            source=Source(meta["source"]),
            currency=meta["currency"],
            root=folder,
            models=settings.models_dir / folder.relative_to(settings.data_dir),
            epoch_ms=int(meta["epoch_ms"]),
            seed=meta.get("seed"),
            recording=meta.get("recording"),
        )
    except (FileNotFoundError, DamagedFile, KeyError, ValueError) as error:
        raise NotReady("a fonte dos preços ainda não foi decidida") from error


def read_meta(folder: Path) -> dict[str, Any]:
    """What the folder belongs to, from its copy where the file itself is damaged or gone.

    Raises:
        FileNotFoundError: the folder is no workspace.
        DamagedFile: neither can be read.
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
        raise ConfigurationError(f"não foi possível ler a gravação {path}: {error.strerror}") from error
    return digest.hexdigest()[:16]


def _repair_meta(folder: Path, meta: dict[str, Any]) -> None:
    """Make file and copy whole again; a damaged one is set aside."""
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
                f"{path.parent} foi criada com {key}={meta.get(key)}, e agora pede-se {key}={value}: "
                f"use --data-dir OUTRA_PASTA (e --models-dir), volte à opção anterior, ou apague a pasta"
            )
