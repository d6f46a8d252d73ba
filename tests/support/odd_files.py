"""Pipes with a name, which hold up the program that opens them, and links; a system without them skips the test."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

__all__ = ["make_link", "make_pipe"]


def make_pipe(path: Path) -> Path:
    """Make a pipe at `path`."""
    if not hasattr(os, "mkfifo"):
        pytest.skip("pipes with a name")
    os.mkfifo(path)
    return path


def make_link(path: Path, target: str) -> Path:
    """Make a link at `path`; Windows lets only some users do so."""
    try:
        path.symlink_to(target)
    except OSError:
        if os.name != "nt":
            raise
        pytest.skip("links")
    return path
