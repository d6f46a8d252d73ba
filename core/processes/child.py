"""Run a module as `python -m MODULE` would, tied to its parent's life: `python -m core.processes.child -m MODULE`.

The watch begins before the module is imported, so that a slow import (Streamlit's takes seconds) makes no orphan.
On Linux the kernel ends the process together with its parent; that covers a hung or suspended process too.
Elsewhere a thread watches.
"""

from __future__ import annotations

import ctypes
import os
import runpy
import signal
import sys
from collections.abc import Collection, Sequence
from importlib.abc import MetaPathFinder
from types import ModuleType
from typing import Final

from core.errors import ForecastingError
from core.processes.lifecycle import watch_parent
from core.settings import PARENT_VARIABLE

__all__ = ["HIDDEN_VARIABLE", "end_with_parent", "hide_modules", "main"]

HIDDEN_VARIABLE: Final = "CRYPTO_HIDDEN_MODULES"
"""Modules that a child shall not load; not passed on to what it starts."""

_PR_SET_PDEATHSIG: Final = 1


def end_with_parent() -> None:
    """Make sure that this process does not outlive the one named by CRYPTO_PARENT_PID; without one, do nothing.

    The kill is hard: everything the processes publish is whole at every instant, and the next start finds ports
    and locks free at once.
    """
    parent = os.environ.get(PARENT_VARIABLE, "")
    if not parent.isdigit():
        return
    if sys.platform != "linux":
        watch_parent()
        return
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
        raise ForecastingError(f"prctl: {os.strerror(ctypes.get_errno())}")
    if os.getppid() != int(parent):  # it was gone before the kernel was told
        os.kill(os.getpid(), signal.SIGKILL)


class _Hidden(MetaPathFinder):
    """Asked before all other finders; refuses what is hidden."""

    def __init__(self, names: Collection[str]) -> None:
        self._names = names

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> None:
        del path, target
        if fullname.partition(".")[0] in self._names:
            raise ModuleNotFoundError(f"{fullname} is hidden from this process", name=fullname)


def hide_modules(names: str) -> None:
    """Make importing the comma-separated modules fail, as if they were not installed.

    Libraries load some packages only to see whether they are there: scikit-learn and pyarrow take 35 MB for pandas.
    """
    if names:
        sys.meta_path.insert(0, _Hidden(names.split(",")))


def main(arguments: list[str]) -> None:
    """Tie this process to its parent, then become the module named after `-m`."""
    flag, module, *rest = arguments
    if flag != "-m":
        raise SystemExit("python -m core.processes.child -m MODULE ARG…")
    end_with_parent()
    hide_modules(os.environ.pop(HIDDEN_VARIABLE, ""))
    sys.argv = [module, *rest]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1:])
