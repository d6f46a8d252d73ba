"""Processes below a fast clock agree on the time, and every kind of wait ends when their own clock says so."""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path

import pytest

from bench.fast_clock import run_faster

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("cc") is None, reason="needs the loader of Linux and a C compiler"
)

_WAITS = """
import asyncio, queue, select, subprocess, sys, threading, time
from datetime import UTC, datetime

def shown(wait):
    began = time.monotonic(), time.time(), datetime.now(UTC)
    wait()
    return time.monotonic() - began[0], time.time() - began[1], (datetime.now(UTC) - began[2]).total_seconds()

waits = {
    "sleep": lambda: time.sleep(4),
    "event": lambda: threading.Event().wait(4),
    "loop": lambda: asyncio.run(asyncio.sleep(4)),
    "select": lambda: select.select([], [], [], 4),
    "child": lambda: subprocess.run([sys.executable, "-c", "import time; time.sleep(4)"], check=True),
}
for name, wait in waits.items():
    for seconds in shown(wait):
        assert seconds >= 3.99, (name, seconds)
other = subprocess.run([sys.executable, "-c", "import time; print(time.time())"], capture_output=True, text=True)
assert abs(time.time() - float(other.stdout)) < 60
"""


def test_five_waits_of_four_seconds_last_as_long_by_the_fast_clock_alone(tmp_path: Path) -> None:
    """Twenty seconds by each of the child's clocks are fewer by the right one, and what it starts sees its time."""
    began = time.monotonic()
    assert run_faster(20, tmp_path, ["-c", _WAITS]) == 0
    assert time.monotonic() - began < 20


def test_the_exit_code_is_that_of_the_command(tmp_path: Path) -> None:
    """A benchmark that fails by the fast clock fails."""
    assert run_faster(2, tmp_path, ["-c", "raise SystemExit(3)"]) == 3
