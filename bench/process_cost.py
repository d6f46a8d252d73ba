"""Resources used by this process and its children so far: CPU time, bytes written, memory."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final

import psutil

__all__ = ["cpu_s", "memory_mb", "private_mb", "written_bytes"]

_MEGABYTE: Final = 2**20


def cpu_s() -> float:
    """CPU-seconds of this process and of its ended children."""
    times = os.times()
    return time.process_time() + times.children_user + times.children_system


def written_bytes(process: psutil.Process | None = None) -> int:
    """Bytes handed to the operating system for writing; 0 if it keeps no count (macOS)."""
    counters = getattr(process or psutil.Process(), "io_counters", None)
    if counters is None:
        return 0
    count = counters()
    return int(getattr(count, "write_chars", count.write_bytes))


def memory_mb(process: psutil.Process | None = None) -> float:
    """Proportional set size in MB (shared pages count in part); the unique set size on systems without it."""
    info = (process or psutil.Process()).memory_full_info()
    return float(getattr(info, "pss", info.uss)) / _MEGABYTE


def private_mb(process: psutil.Process | None = None) -> float:
    """What the process has written in memory and no other shares, in MB; its unique set size on systems without it.

    Pages of libraries stay out: they become unique to one process when the others that share them end.
    """
    looked_at = process or psutil.Process()
    parts = Path("/proc", str(looked_at.pid), "smaps_rollup")
    if not parts.exists():
        return float(looked_at.memory_full_info().uss) / _MEGABYTE
    sizes = dict(line.split(":") for line in parts.read_text().splitlines()[1:])
    return int(sizes["Private_Dirty"].removesuffix("kB")) / 1024
