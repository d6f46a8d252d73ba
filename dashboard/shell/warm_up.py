"""What the server does once before its first visitor: import the pages, and settle the garbage collector."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Final

from core.processes.free_memory import leave_out_of_collections
from dashboard.shell.frontend_modules import early_modules

__all__ = ["growing_python", "warm_up"]

_log = logging.getLogger("dashboard")

_GROWING: Final = ((3, 14, 0), (3, 14, 5))
"""From this version of Python on, and before that one, a collector that was then taken back let memory grow."""


def warm_up() -> None:
    """Import the views and what they need, then leave everything made so far out of later collections.

    A full collection waits until a quarter more objects live long. Without the modules in that count, what visitors
    leave behind in cycles is collected while it is little.
    """
    if growing_python(sys.version_info):
        version = ".".join(map(str, sys.version_info[:3]))
        _log.warning("Python %s lets the dashboard's memory grow: 3.14.5 or later, or 3.13, does not", version)
    import_module("dashboard.views")
    early_modules()
    leave_out_of_collections()


def growing_python(version: Sequence[object]) -> bool:
    """Whether this version of Python has the collector that lets the memory of long-running servers grow."""
    first, fixed = _GROWING
    return first <= tuple(version[:3]) < fixed
