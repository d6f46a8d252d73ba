"""Runs a benchmark, and every process that it starts, by clocks that run several times as fast as the right ones.

Programs take as much processor time as ever, so that a machine must be quick enough for `speed` times the work.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

__all__ = ["run_faster"]

_SOURCE = Path(__file__).with_suffix(".c")


def run_faster(speed: float, folder: Path, command: Sequence[str]) -> int:
    """Run `python` with `command`, its clocks `speed` times as fast; its exit code.

    Args:
        speed: 1 or more.
        folder: where the library that changes the clocks is built.
        command: what follows `python` on a command line.

    Raises:
        FileNotFoundError: no C compiler is installed as `cc`.
        subprocess.CalledProcessError: it does not compile; only Linux has the functions that are replaced.
    """
    compiler = shutil.which("cc")
    if compiler is None:
        raise FileNotFoundError("a C compiler, cc")
    library = folder / "fast_clock.so"
    subprocess.run([compiler, "-O2", "-shared", "-fPIC", "-o", str(library), str(_SOURCE)], check=True)
    variables = {
        "LD_PRELOAD": str(library),
        "FAST_CLOCK_SPEED": str(speed),
        "FAST_CLOCK_REALTIME": str(time.time_ns()),
        "FAST_CLOCK_MONOTONIC": str(time.monotonic_ns()),
    }
    return subprocess.run([sys.executable, *command], env=os.environ | variables, check=False).returncode
