"""`python -m bench`: every benchmark, one table; `python -m bench NAME --help`: one of them.

Names: cycle, store, retention, api_latency, suite, soak, forecast_quality. `cycle` and `store` need requirements.txt
alone.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import Final

_ONE_THREAD: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "ARROW_NUM_THREADS")
_NAMES: Final = ("cycle", "store", "retention", "suite", "soak", "startup")


def main() -> int:
    """Run the benchmark that the command line names, or all of them, with as many threads as the suite's processes."""
    os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))
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


if __name__ == "__main__":
    sys.exit(main())
