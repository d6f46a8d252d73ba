"""Write the requirement files that follow from pyproject.toml: `python -m tools.requirements [--lock]`.

The files for the product, for parts of it (PostgreSQL, S3) and for development repeat its lists for `pip install -r`.
With `--lock`, uv resolves the first and the last again and writes the exact versions with hashes; that asks the index.
"""

from __future__ import annotations

import argparse
import subprocess
import tomllib
from pathlib import Path
from typing import Any, Final

__all__ = ["PROJECT", "declared", "main", "requirement_files"]

PROJECT: Final = Path(__file__).resolve().parent.parent
_HEADER: Final = "# Written by `python -m tools.requirements` from pyproject.toml: make changes there."
_RESOLVE: Final = ("uv", "pip", "compile", "--quiet", "--universal", "--python-version", "3.11")
_LOCKED: Final = ("requirements.txt", "requirements-dev.txt")
_FORMAT: Final = ("--generate-hashes", "--no-header")


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
    """Text of each requirement file, by its name."""
    product, extras, development = declared()
    parts = _project()["project"]["optional-dependencies"]
    return {
        "requirements.txt": "\n".join([_HEADER, *product, ""]),
        "requirements-dev.txt": "\n".join([_HEADER, "-r requirements.txt", *extras, *development, ""]),
        **{f"requirements-{part}.txt": "\n".join([_HEADER, *parts[part], ""]) for part in ("postgres", "s3")},
    }


def main(arguments: list[str] | None = None) -> None:
    """Write the requirement files, and on request the locks."""
    parser = argparse.ArgumentParser(prog="python -m tools.requirements", description=__doc__)
    parser.add_argument("--lock", action="store_true", help="resolve again and write the two locks")
    parser.add_argument("--upgrade", action="store_true", help="with --lock: take the newest versions that are allowed")
    given = parser.parse_args(arguments)
    for name, text in requirement_files().items():
        (PROJECT / name).write_text(text, encoding="utf-8")
        if given.lock and name in _LOCKED:
            lock = Path(name).with_suffix(".lock").name
            command = [*_RESOLVE, *_FORMAT, *(["--upgrade"] if given.upgrade else []), name, "--output-file", lock]
            subprocess.run(command, cwd=PROJECT, check=True)  # noqa: S603 - a fixed command


if __name__ == "__main__":
    main()
