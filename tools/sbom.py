"""Print what a lock holds as a software bill of materials: `python -m tools.sbom [LOCK] > sbom.json`.

The bill is CycloneDX as JSON, with the hashes of the lock. uv fetches CycloneDX's own program for it.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from typing import Final

from tools.requirements import LEAST_AGE, PROJECT

__all__ = ["main"]

_PROGRAM: Final = "cyclonedx-bom==7.5.0"
_FETCH: Final = (sys.executable, "-m", "uv", "tool", "run", "--quiet", "--exclude-newer", LEAST_AGE, "--from", _PROGRAM)
_DESCRIBE: Final = ("cyclonedx-py", "requirements", "--output-reproducible", "--pyproject", "pyproject.toml")


def main(arguments: list[str] | None = None) -> int:
    """Print the bill; the exit code is that of the program."""
    parser = argparse.ArgumentParser(prog="python -m tools.sbom", description=__doc__)
    parser.add_argument("lock", nargs="?", default="requirements.lock", help="default: the product's")
    given = parser.parse_args(arguments)
    command = [*_FETCH, *_DESCRIBE, given.lock]
    return subprocess.run(command, cwd=PROJECT, check=False).returncode  # noqa: S603 - a fixed command


if __name__ == "__main__":
    sys.exit(main())
