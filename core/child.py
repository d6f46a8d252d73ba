"""`python -m core.child -m MODULE ARG…`: run a module as `python -m MODULE ARG…` would, tied to the supervisor's life.

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
from typing import Final

from core.errors import ForecastingError
from core.process import PARENT_VARIABLE, watch_parent

__all__ = ["end_with_parent", "main"]

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


def main(arguments: list[str]) -> None:
    """Tie this process to its parent, then become the module named after `-m`."""
    flag, module, *rest = arguments
    if flag != "-m":
        raise SystemExit("python -m core.child -m MODULE ARG…")
    end_with_parent()
    sys.argv = [module, *rest]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1:])
