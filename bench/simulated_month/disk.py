"""A disk of its own for a simulated machine, which can be filled and freed; needs the right to mount one."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

__all__ = ["Disk", "mounted_disk"]

_MEGABYTES: Final = 200
_BLOCK: Final = 2**16


class Disk:
    """A folder, which can be full if it `has_limit`."""

    def __init__(self, folder: Path, *, has_limit: bool) -> None:
        self.folder = folder
        self.has_limit = has_limit
        self._filler = folder / "filler"

    def fill(self) -> None:
        """Take all free space, to the last byte."""
        with self._filler.open("wb", buffering=0) as file:
            for size in (_BLOCK, 1):
                with suppress(OSError):  # which says that the disk is full
                    while file.write(bytes(size)) == size:
                        continue

    def free(self) -> None:
        """Give the space back."""
        self._filler.unlink(missing_ok=True)


@contextmanager
def mounted_disk(folder: Path) -> Iterator[Disk]:
    """A disk in memory, mounted at `folder`; without the right to mount it, the folder as it is."""
    folder.mkdir()
    command = ["/usr/bin/env", "mount", "-t", "tmpfs", "-o", f"size={_MEGABYTES}m", "tmpfs", str(folder)]
    is_mounted = subprocess.run(command, check=False, capture_output=True).returncode == 0
    try:
        yield Disk(folder, has_limit=is_mounted)
    finally:
        if is_mounted:
            subprocess.run(["/usr/bin/env", "umount", "-l", str(folder)], check=True)
