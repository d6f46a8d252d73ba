"""Run a module as `python -m MODULE` does, and end with the parent: `python -m core.processes.child -m MODULE`.

The watch starts before the module is imported, because an import can take seconds (Streamlit). On Linux the kernel
kills the process when its parent ends, even if it hangs or is suspended. On other systems a thread watches.
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

__all__ = ["HIDDEN_VARIABLE", "child_command", "end_with_parent", "hide_modules", "main"]

HIDDEN_VARIABLE: Final = "CRYPTO_HIDDEN_MODULES"
"""Names modules that a child must not load; not inherited by the child's own children."""

_PR_SET_PDEATHSIG: Final = 1


def child_command(
    module: str,
    *arguments: str,
    executable: str = sys.executable,
    real: str = getattr(sys, "_base_executable", sys.executable),
    platform: str = sys.platform,
) -> tuple[tuple[str, ...], dict[str, str]]:
    """Build the command and the variables that start `module` as a child with the pid that its parent sees.

    On Windows, python.exe of a virtual environment is a launcher that starts the `real` interpreter as another
    process. This starts the interpreter directly and sets the launcher's variable, as `multiprocessing` does.
    """
    variables = {}
    if platform == "win32" and real != executable:
        variables, executable = {"__PYVENV_LAUNCHER__": executable}, real
    return (executable, "-m", "core.processes.child", "-m", module, *arguments), variables


def end_with_parent() -> None:
    """Make this process end with the one named by CRYPTO_PARENT_PID; do nothing without one.

    SIGKILL is safe, because published files are complete at any time, and it frees ports and locks at once.

    Raises:
        ForecastingError: the kernel refuses.
    """
    parent = os.environ.get(PARENT_VARIABLE, "")
    if not parent.isdigit():
        return
    if sys.platform == "linux":
        if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
            raise ForecastingError(f"prctl: {os.strerror(ctypes.get_errno())}")
        if os.getppid() != int(parent):  # the parent ended before prctl was called
            os.kill(os.getpid(), signal.SIGKILL)
    else:
        watch_parent()


class _Hidden(MetaPathFinder):
    """A finder that comes before all others and refuses hidden modules."""

    def __init__(self, names: Collection[str]) -> None:
        self._names = names

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> None:
        del path, target
        if fullname.partition(".")[0] in self._names:
            raise ModuleNotFoundError(f"{fullname} is hidden from this process", name=fullname)


def hide_modules(names: str) -> None:
    """Make imports of the comma-separated modules fail, as if they were not installed.

    scikit-learn and pyarrow import pandas if they can, which costs 35 MB.
    """
    if names:
        sys.meta_path.insert(0, _Hidden(names.split(",")))


def main(arguments: list[str]) -> None:
    """Tie this process to its parent, then run the module named after `-m`."""
    flag, module, *rest = arguments
    if flag != "-m":
        raise SystemExit("python -m core.processes.child -m MODULE ARG…")
    end_with_parent()
    hide_modules(os.environ.pop(HIDDEN_VARIABLE, ""))
    sys.argv = [module, *rest]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1:])
