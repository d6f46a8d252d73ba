"""`python -m bench`: every benchmark, one table; `python -m bench NAME --help`: one of them.

Names: cycle, store, api, suite, soak, cadence, following, listeners, readers, forecast_quality, answer_quality,
forecast_prior, left_out, announcements, announcement_sizes, forecast_hash, synth_yardstick, screenshots,
dashboard, visitors, pipeline_memory, churn, alerts, growth, shards, cluster, power_loss, fuzz, attacks, month,
recording_rows.
`cycle` and `store` need requirements.txt alone.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from typing import Final

from core.processes.lifecycle import run_main
from suite.children import RESOURCE_LIMITS

_NAMES: Final = (
    "cycle",
    "store",
    "artifacts",
    "api",
    "suite",
    "soak",
    "cadence",
    "following",
    "listeners",
    "readers",
    "forecast_quality",
    "answer_quality",
    "forecast_prior",
    "left_out",
    "announcements",
    "announcement_sizes",
    "forecast_hash",
    "synth_yardstick",
    "screenshots",
    "dashboard",
    "visitors",
    "pipeline_memory",
    "churn",
    "alerts",
    "growth",
    "shards",
    "cluster",
    "power_loss",
    "fuzz",
    "attacks",
    "month",
    "recording_rows",
)
_AS_CALLED: Final = ("forecast_hash",)
"""Must forecast as `python -m model.backtest` does when it is called by hand, with as many threads."""


def main() -> int:
    """Run the benchmark that the command line names, or all of them."""
    name, *rest = sys.argv[1:] or ["all"]
    if name in ("-h", "--help"):
        print(__doc__)
        return 0
    if name.startswith("-"):
        name, rest = "all", sys.argv[1:]
    if name not in ("all", *_NAMES):
        print(f"unknown benchmark {name!r}: one of {', '.join(_NAMES)}", file=sys.stderr)
        return 2
    if name not in _AS_CALLED:
        _limit_threads()
    return int(importlib.import_module(f"bench.{name}").main(rest))


def _limit_threads() -> None:
    """Restart with the environment of the suite's processes; libraries read it when they are loaded."""
    if RESOURCE_LIMITS.items() <= os.environ.items():
        return
    os.environ.update(RESOURCE_LIMITS)
    if sys.platform == "linux":
        sys.stdout.flush()
        os.execv(sys.executable, [sys.executable, "-m", "bench", *sys.argv[1:]])  # noqa: S606 - this very command


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # ends what was started, too
    sys.exit(run_main(main))
