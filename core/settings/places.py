"""Where the project lies, and where paths and data are looked for."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import platformdirs

__all__ = ["BASE", "HOME", "PROJECT"]

PROJECT: Final = Path(__file__).resolve().parents[2]
_IN_CHECKOUT: Final = (PROJECT / "pyproject.toml").is_file()
BASE: Final = PROJECT if _IN_CHECKOUT else Path()
"""Folder of `.env` and base of relative paths: the checkout, or the current folder of an installed package."""
HOME: Final = PROJECT if _IN_CHECKOUT else platformdirs.user_data_path("crypto-forecasting", appauthor=False)
"""Default folder of data and models."""
