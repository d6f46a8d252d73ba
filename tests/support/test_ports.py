"""Ports for the servers that tests start."""

from __future__ import annotations

import subprocess
import sys

from core.settings import PROJECT
from tests.support.ports import reserve_port

RESERVE = "from tests.support.ports import reserve_port; print(*(reserve_port() for _ in range(3)))"


def test_no_two_processes_reserve_the_same_port() -> None:
    """What one process has reserved, whether it listens there or not, no other process is given."""
    held = {reserve_port() for _ in range(3)}
    done = subprocess.run([sys.executable, "-c", RESERVE], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert len(held | {*map(int, done.stdout.split())}) == 6
