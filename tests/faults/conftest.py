"""Fixtures that start suites, mount disks, and count the faults survived."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.conftest import FAULTS
from tests.support.running_suite import RunningSuite

Tell = Callable[..., None]


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> Tell:
    """A function that adds a line to the table: the fault, times injected and survived, values lost, wrong values."""

    def add(what: str, injected: int, survived: int, lost: int = 0, wrong: int = 0) -> None:
        request.node.user_properties.append((FAULTS, (what, (injected, survived, lost, wrong))))

    return add


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[Callable[..., RunningSuite]]:
    """A function that starts suites; they end with the test."""
    made: list[RunningSuite] = []

    def start(
        *options: str,
        folder: Path = tmp_path,
        code: str | None = None,
        wrapper: tuple[str, ...] = (),
        **variables: str,
    ) -> RunningSuite:
        made.append(RunningSuite(folder, "--no-browser", *options, code=code, wrapper=wrapper, **variables))
        return made[-1]

    yield start
    for run in made:
        if run.process.poll() is None:
            family = run.family()
            run.process.terminate()
            try:
                run.process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                for process in family:
                    with suppress(ProcessLookupError):
                        os.kill(process.pid, signal.SIGKILL)


@pytest.fixture
def small_disk() -> Iterator[Callable[[int], Path]]:
    """A function that mounts a disk of some megabytes in memory; needs root."""
    mounted: list[Path] = []

    def mount(megabytes: int) -> Path:
        folder = Path(tempfile.mkdtemp(prefix="disk-"))
        command = ["/usr/bin/env", "mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
        try:
            subprocess.run(command, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            folder.rmdir()
            pytest.skip("needs the right to mount a tmpfs")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["/usr/bin/env", "umount", "-l", str(folder)], check=True)
        folder.rmdir()
