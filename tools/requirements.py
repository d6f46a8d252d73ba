"""Write the requirement files that follow from pyproject.toml: `python -m tools.requirements [--lock]`.

The files for the product, for each of its extras and for development repeat its lists for `pip install -r`. With
`--lock`, uv resolves each of them again and writes the exact versions with hashes; that asks the index.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, Final

__all__ = ["LEAST_AGE", "PROJECT", "declared", "lock_command", "main", "requirement_files"]

PROJECT: Final = Path(__file__).resolve().parent.parent
LEAST_AGE: Final = "7 days"
"""What was published later is not locked: most malicious releases are found and withdrawn within days."""

_HEADER: Final = "# Written by `python -m tools.requirements` from pyproject.toml: make changes there."
_PRODUCT: Final = "requirements.txt"
_RESOLVE: Final = (sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--universal", "--python-version", "3.11")
_FORMAT: Final = ("--generate-hashes", "--no-header", "--exclude-newer", LEAST_AGE)


def declared() -> tuple[list[str], list[str], list[str]]:
    """Requirements that pyproject.toml lists.

    Returns:
        Those of the product, those of its extras, and those of the development group.
    """
    project = _project()
    extras = [line for lines in project["project"]["optional-dependencies"].values() for line in lines]
    return project["project"]["dependencies"], extras, project["dependency-groups"]["dev"]


def _project() -> dict[str, Any]:
    return tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))


def requirement_files() -> dict[str, str]:
    """Text of each requirement file, by its name; that of the product comes first."""
    product, extras, development = declared()
    parts = _project()["project"]["optional-dependencies"]
    return {
        _PRODUCT: "\n".join([_HEADER, *product, ""]),
        "requirements-dev.txt": "\n".join([_HEADER, "-r requirements.txt", *extras, *development, ""]),
        **{f"requirements-{part}.txt": "\n".join([_HEADER, *lines, ""]) for part, lines in parts.items()},
    }


def lock_command(name: str, *words: str) -> list[str]:
    """The command that writes the lock of a requirement file; all locks agree with that of the product.

    Args:
        name: the requirement file, in the current folder.
        words: further options of `uv pip compile`.
    """
    lock = str(Path(name).with_suffix(".lock"))
    agreeing = [] if name == _PRODUCT else ["--constraint", str(Path(_PRODUCT).with_suffix(".lock"))]
    return [*_RESOLVE, *_FORMAT, *agreeing, *words, name, "--output-file", lock]


def main(arguments: list[str] | None = None) -> None:
    """Write the requirement files, and on request the locks."""
    parser = argparse.ArgumentParser(prog="python -m tools.requirements", description=__doc__)
    parser.add_argument("--lock", action="store_true", help="resolve again and write the locks")
    parser.add_argument("--upgrade", action="store_true", help="with --lock: take the newest versions that are allowed")
    given = parser.parse_args(arguments)
    for name, text in requirement_files().items():
        (PROJECT / name).write_text(text, encoding="utf-8")
        if given.lock:
            command = lock_command(name, *(["--upgrade"] if given.upgrade else []))
            subprocess.run(command, cwd=PROJECT, check=True)  # noqa: S603 - a fixed command


if __name__ == "__main__":
    main()
