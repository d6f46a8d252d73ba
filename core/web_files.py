"""Scripts and styles for browsers: those that dashboard and API share, and addresses that change with the contents."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

__all__ = ["A_YEAR_S", "SHARED", "contents_token"]

SHARED: Final = Path(__file__).parent / "web"
"""The chart, the table of all coins and plotly.js."""

A_YEAR_S: Final = 31_536_000
"""For how long a browser may keep a file whose address changes with its content."""


def contents_token(*folders: Path) -> str:
    """A token that changes with the content of any file in the folders, to be part of the files' address."""
    contents = b"".join(path.read_bytes() for folder in folders for path in sorted(folder.iterdir()) if path.is_file())
    return hashlib.sha256(contents).hexdigest()[:12]
