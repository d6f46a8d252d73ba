"""Finds published files that changed on disk or are damaged."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

import pyarrow as pa

from core.errors import DamagedFile
from core.files import file_stamp
from core.publishing.parquet import is_damage

__all__ = ["Inspection"]


class Inspection:
    """Remembers how the files of a folder looked when they were written or last checked."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stamps: dict[str, tuple[int, int, int]] = {}
        self._turn = 0

    def remember(self, file: str) -> int:
        """Remember how a file looks now; its size in bytes."""
        self._stamps[file] = file_stamp(self._folder / file)
        return self._stamps[file][2]

    def is_changed(self, file: str) -> bool:
        """Whether a file does not look as remembered, or was never seen."""
        return file_stamp(self._folder / file) != self._stamps.get(file)

    def forget_others(self, named: Collection[str]) -> None:
        """Forget all files but the named ones."""
        self._stamps = {file: stamp for file, stamp in self._stamps.items() if file in named}

    def damaged(
        self, files: Collection[str], check: Callable[[Path], None], max_unchanged: int | None = None
    ) -> dict[str, Exception]:
        """Check all changed files and up to `max_unchanged` others in turn; map failures to their error.

        Raises:
            OSError: one cannot be read now.
        """
        found = {file: file_stamp(self._folder / file) for file in files}
        changed = [file for file, stamp in found.items() if stamp != self._stamps.get(file)]
        unchanged = sorted(found.keys() - set(changed))
        if max_unchanged is not None and unchanged:
            self._turn = (self._turn + 1) % len(unchanged)
            unchanged = unchanged[self._turn :][:max_unchanged]
        bad: dict[str, Exception] = {}
        for file in [*changed, *unchanged]:
            try:
                check(self._folder / file)
            except (pa.ArrowInvalid, OSError, DamagedFile) as error:
                if not is_damage(error):
                    raise
                bad[file] = error
            else:
                self._stamps[file] = found[file]
        return bad
