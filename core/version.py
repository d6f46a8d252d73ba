"""The release, as /status, User-Agent and exports name it; pyproject.toml takes it from here."""

from __future__ import annotations

from typing import Final

__all__ = ["VERSION"]

VERSION: Final = "0.1.0"
