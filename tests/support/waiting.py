"""Waiting for a condition, never for a time."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["wait_until"]


def wait_until(condition: Callable[[], object], limit_s: float = 60.0) -> None:
    """Look again and again until `condition` holds; fail after `limit_s` seconds."""
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, "what was waited for has not come"
        time.sleep(0.02)
