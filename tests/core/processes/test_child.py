"""A child of the suite cannot import modules that are hidden from it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from core.processes.child import HIDDEN_VARIABLE
from core.settings import PROJECT

_REPORT = """
import os, sys
try:
    import colorsys
except ImportError:
    print("hidden", "colorsys" in sys.modules, os.environ.get("CRYPTO_HIDDEN_MODULES"))
else:
    print("found")
import wave
print(wave.__name__)
"""


def _run(folder: Path, hidden: str) -> str:
    (folder / "tell.py").write_text(_REPORT, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": f"{PROJECT}{os.pathsep}{folder}", HIDDEN_VARIABLE: hidden}
    command = [sys.executable, "-m", "core.processes.child", "-m", "tell"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


def test_hidden_modules_are_as_if_not_installed(tmp_path: Path) -> None:
    """Importing one fails, others work, and processes that the child starts can import all."""
    assert _run(tmp_path, "colorsys,zipapp").split() == ["hidden", "False", "None", "wave"]


def test_without_the_variable_nothing_is_hidden(tmp_path: Path) -> None:
    """An empty value hides nothing."""
    assert _run(tmp_path, "").split() == ["found", "wave"]
