"""workspace.json: what a workspace was made with, kept twice."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated, Any, Final, NotRequired

from pydantic import Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from core.aside import set_aside
from core.errors import DamagedFile, WorkspaceMismatch
from core.files import read_json, write_json
from core.settings import Settings, Source
from core.wording import message

__all__ = ["META_FILE", "META_SCHEMA", "expected_meta", "read_meta", "refuse_mismatch", "repair_meta"]

META_FILE: Final = "workspace.json"
META_SCHEMA: Final = 1
_META_COPY: Final = "workspace-copy.json"
_LAST_MS: Final = 253_402_300_799_999
"""The end of the year 9999."""


class _Meta(TypedDict):
    """What the file says."""

    source: Source
    currency: Annotated[str, Field(pattern=r"^[a-z]{2,10}$")]
    epoch_ms: Annotated[int, Field(ge=0, le=_LAST_MS)]
    seed: NotRequired[int | None]
    recording: NotRequired[Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")] | None]
    replay_start: NotRequired[str | None]


_META: Final = TypeAdapter(_Meta)

_log = logging.getLogger(__name__)


def read_meta(folder: Path) -> dict[str, Any]:
    """Read workspace.json, or its copy if the file is damaged or missing.

    Raises:
        FileNotFoundError: the folder is not a workspace.
        DamagedFile: file and copy are damaged.
    """
    try:
        return _meta(folder / META_FILE)
    except (FileNotFoundError, DamagedFile) as error:
        try:
            return _meta(folder / _META_COPY)
        except (FileNotFoundError, DamagedFile):
            raise error from None


def _meta(path: Path) -> dict[str, Any]:
    """The content of a file whose values can be its own."""
    value = read_json(path)
    try:
        _META.validate_python(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise DamagedFile(f"{path.name}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    return value


def repair_meta(folder: Path, meta: dict[str, Any]) -> None:
    """Restore file and copy; rename a damaged one."""
    for name in (_META_COPY, META_FILE):
        path = folder / name
        try:
            is_whole = _meta(path) == meta
        except FileNotFoundError:
            is_whole = False
        except DamagedFile as error:
            _log.error("%s is damaged (%s): set aside as %s", name, error, set_aside(path).name)
            is_whole = False
        if not is_whole:
            write_json(path, meta)


def expected_meta(settings: Settings, recording: str | None) -> dict[str, Any]:
    """What workspace.json must say for these settings."""
    return {
        "source": settings.source.value,
        "currency": settings.currency,
        "seed": settings.seed if settings.source is Source.DEMO else None,
        "recording": recording,
        "replay_start": settings.replay_start if settings.source is Source.REPLAY else None,
    }


def refuse_mismatch(path: Path, meta: dict[str, Any], expected: dict[str, Any]) -> None:
    """Compare workspace.json at `path` with what it must say.

    Raises:
        WorkspaceMismatch: they differ; the message names the first setting that does.
    """
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
