"""The limit of open files of this process, of which each connection takes one."""

from __future__ import annotations

import sys

__all__ = ["allow_open_files"]


def allow_open_files(wanted: int) -> int:
    """Raise this process's limit of open files to `wanted`, as far as the system lets it; lower it never.

    Returns:
        How many files may be open now; `wanted` on Windows, which has no such limit.
    """
    if sys.platform == "win32":
        return wanted
    import resource  # noqa: PLC0415 - only there where the limit is

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return wanted
    raised = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if raised <= soft:
        return soft
    resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
    return raised
