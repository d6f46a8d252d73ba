"""Runs `python -m bench` as a person would."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from core.settings import PROJECT, Settings

RunBench = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def run_bench() -> RunBench:
    """A function that runs `python -m bench ARG…` without settings of this machine; it must succeed."""
    blank = {f"CRYPTO_{name.upper()}": "" for name in Settings.model_fields}

    def run(*arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "bench", *arguments],
            cwd=PROJECT,
            env={**os.environ, **blank},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == code, done.stderr
        return done

    return run
