"""Limits of this process, as a machine that has run out of something sets them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

__all__ = ["limited"]


@contextmanager
def limited(what: str, most: int) -> Iterator[None]:
    """Within the block a resource of POSIX systems is limited, named as in `resource.RLIMIT_<what>`."""
    resource = pytest.importorskip("resource", reason="limits are set as POSIX systems do")
    kind = getattr(resource, f"RLIMIT_{what}")
    soft, hard = resource.getrlimit(kind)
    resource.setrlimit(kind, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(kind, (soft, hard))
