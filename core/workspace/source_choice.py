"""run/source.json: which workspace the suite chose."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field, TypeAdapter, ValidationError

from core.errors import DamagedFile
from core.files import delete_if_free, read_bytes, write_atomically
from core.settings import Settings, Source
from core.times import iso, now_ms
from core.wording import Message
from core.workspace.folders import Workspace

__all__ = ["SourceChoice", "forget_source", "publish_source", "source_choice"]


@dataclass(frozen=True)
class SourceChoice:
    """Content of run/source.json: which workspace API and dashboard show, which start before `auto` is decided.

    `folder` is relative to the data folder; `notice` is shown to people beside the prices.
    """

    source: Source
    folder: Annotated[str, Field(pattern=r"^(\.|demo|replay/[0-9a-f]{16})$")]
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
    except (FileNotFoundError, DamagedFile, ValidationError):
        return None


def forget_source(settings: Settings) -> None:
    """Delete run/source.json: the next choice may be another one."""
    delete_if_free(_choice_file(settings))


def _choice_file(settings: Settings) -> Path:
    return settings.run_dir / "source.json"
