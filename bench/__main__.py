"""`python -m bench`: every benchmark, one table; `python -m bench NAME --help`: one of them.

Names: cycle, store, retention, suite, soak, startup, profile, floor, yardsticks, api_latency, forecast_quality.
`cycle` and `store` need requirements.txt alone.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import Final

from suite.children import FRUGAL

_NAMES: Final = (
    "cycle",
    "store",
    "retention",
    "suite",
    "soak",
    "startup",
    "profile",
    "api_latency",
    "floor",
    "yardsticks",
    "forecast_quality",
)


def main() -> int:
    """Run the benchmark that the command line names, or all of them."""
    _be_frugal()
    name, *rest = sys.argv[1:] or ["all"]
    if name in ("-h", "--help"):
        print(__doc__)
        return 0
    if name.startswith("-"):
        name, rest = "all", sys.argv[1:]
    if name not in ("all", *_NAMES):
        print(f"unknown benchmark {name!r}: one of {', '.join(_NAMES)}", file=sys.stderr)
        return 2
    module = importlib.import_module("bench.all" if name == "all" else f"bench.{name}")
    return int(module.main(rest))


def _be_frugal() -> None:
    """Begin anew with the environment that the suite's processes get; libraries look at it when they are loaded."""
    if FRUGAL.items() <= os.environ.items():
        return
    os.environ.update(FRUGAL)
    if sys.platform == "linux":
        sys.stdout.flush()
        os.execv(sys.executable, [sys.executable, "-m", "bench", *sys.argv[1:]])  # noqa: S606 - this very command


if __name__ == "__main__":
    sys.exit(main())
