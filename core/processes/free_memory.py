"""Gives memory that was freed back to the system; the allocators would keep it for later."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from functools import cache

import pyarrow as pa

__all__ = ["give_back_memory"]


def give_back_memory() -> None:
    """Release what Arrow and the C library hold unused; costs milliseconds."""
    pa.default_memory_pool().release_unused()
    if (trim := _trimmer()) is not None:
        trim(0)


@cache
def _trimmer() -> Callable[[int], int] | None:
    """The function of the C library that does it; only that of GNU has one."""
    return getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
