"""Parts of Streamlit's frontend that our pages need at once.

Streamlit loads the code of an element when the first one of its kind arrives, and what that code imports after it: one
round trip after another, before the first card. A browser that is told their names fetches them meanwhile.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Final

from streamlit.file_util import get_static_dir

__all__ = ["early_modules"]

_ELEMENTS: Final = ("BidiComponent", "ButtonGroup", "Checkbox", "Html", "Metric", "Selectbox", "TextInput")
"""What the pages of the market and of a coin are made of."""

_FOLDER: Final = "static/js"
_IMPORT: Final = re.compile(r'(?:from|import)\s*"\./([\w.-]+\.js)"')
"""An import that stands on top of a module, not one that waits for a call."""


@lru_cache(maxsize=1)
def early_modules() -> tuple[str, ...]:
    """Addresses, relative to the page, of modules that its HTML does not name; none where Streamlit names others."""
    static = Path(get_static_dir())
    page = (static / "index.html").read_text(encoding="utf-8")
    folder = static / _FOLDER
    first = [path.name for name in _ELEMENTS for path in folder.glob(f"{name}.*.js")]
    return tuple(f"{_FOLDER}/{name}" for name in sorted(_with_imports(folder, first)) if name not in page)


def _with_imports(folder: Path, names: list[str]) -> set[str]:
    """The modules and everything that they import."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += _imports(folder / name)
    return found


def _imports(module: Path) -> Iterator[str]:
    return (match[1] for match in _IMPORT.finditer(module.read_text(encoding="utf-8")))
