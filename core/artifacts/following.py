"""Readers on other machines: a folder that follows what is published in a bucket."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Final

from core.artifacts.background import Background
from core.artifacts.bucket import Bucket
from core.artifacts.copying import Download
from core.errors import AlreadyRunning
from core.wording import Message
from core.workspace import Workspace

__all__ = ["Follower"]

_LOOK_EVERY_S: Final = 1.0


class Follower:
    """Keeps the published folder of a workspace as its bucket has it; one process of a machine does so for all."""

    def __init__(self, workspace: Workspace, bucket: Bucket, look_every_s: float = _LOOK_EVERY_S) -> None:
        self._workspace = workspace
        self._download = Download(bucket, workspace.processed)
        self._lock = ExitStack()
        self._leads = False
        self._background = Background(self._look, look_every_s)

    @property
    def problem(self) -> Message | str | None:
        """Why nothing new comes; None if all is well."""
        return self._background.problem

    def close(self) -> None:
        """Stop following; safe to call twice."""
        self._background.close()
        self._lock.close()

    def _look(self) -> None:
        if not self._leads:
            try:
                self._lock.enter_context(self._workspace.hold_pipeline())
            except AlreadyRunning:  # another process of this machine follows
                return
            self._leads = True
        self._download.copy()
