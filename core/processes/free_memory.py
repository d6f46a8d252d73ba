"""Gives memory that was freed back to the system; the interpreter and the allocators would keep it for later."""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Callable
from functools import cache

import pyarrow as pa

__all__ = ["give_back_memory", "leave_out_of_collections"]


def leave_out_of_collections() -> None:
    """Let no later collection look at what was made so far, modules above all.

    A full collection then takes microseconds, and comes by itself when a quarter of what was made since lives long.
    """
    gc.collect()
    gc.freeze()
    gc.collect()


def give_back_memory() -> None:
    """Collect garbage, and release what the interpreter, Arrow and the C library hold unused; costs milliseconds.

    A full collection also empties the interpreter's lists of freed tuples, which otherwise fill for hours.
    """
    gc.collect()
    pa.default_memory_pool().release_unused()
    if (trim := _trimmer()) is not None:
        trim(0)


@cache
def _trimmer() -> Callable[[int], int] | None:
    """The function of the C library that does it; only that of GNU has one."""
    return getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
