"""What a page of the dashboard may load, run, send to and be framed by, as the browser is told with every answer."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from streamlit.file_util import get_static_dir

__all__ = ["content_policy"]

_INLINE_SCRIPT: Final = re.compile(rb"<script>(.*?)</script>", re.DOTALL)


def content_policy(origins: Sequence[str]) -> str:
    """The Content-Security-Policy of pages that `origins` may frame besides this server's own.

    Streamlit imports the code of each component from a blob, styles elements where they stand, and carries icons and a
    font as data: this is allowed, and of scripts inside the page those of its own document alone.
    """
    return "; ".join(
        [
            "default-src 'self'",
            " ".join(["script-src 'self' blob:", *_inline_scripts()]),
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "object-src 'none'",
            "base-uri 'self'",
            "form-action 'self'",
            " ".join(["frame-ancestors 'self'", *origins]),
        ]
    )


def _inline_scripts() -> Iterator[str]:
    """Digests of the scripts that stand in the document of the installed Streamlit."""
    page = (Path(get_static_dir()) / "index.html").read_bytes()
    for script in _INLINE_SCRIPT.findall(page):
        yield f"'sha256-{base64.b64encode(hashlib.sha256(script).digest()).decode()}'"
