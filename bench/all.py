"""`python -m bench`: every benchmark with fixed seeds, one table; JSON in reports/bench/bench.json.

Each runs as its own command `python -m bench NAME`, so that what this process loads does not count as shared memory.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from bench.figures import Figure, exit_code, table
from core.settings import PROJECT

__all__ = ["main"]

_RECORDINGS: Final = "CRYPTO_TEST_DATA"
_GROWTH: Final = {
    "warm cycle, 7 days stored": "cycle --no-naive --rows 2016 --history-days 7",
    "warm cycle, 365 days stored": "cycle --no-naive --rows 105120 --history-days 365",
    "warm cycle, 7 days stored, log of 90 days": "cycle --no-naive --rows 2016 --history-days 7 --log-days 90",
}


def _run(command: str) -> Any:
    """Run `python -m bench COMMAND --json` and return what it prints."""
    began = time.monotonic()
    words = [sys.executable, "-m", "bench", *command.split(), "--json"]
    done = subprocess.run(words, cwd=PROJECT, stdout=subprocess.PIPE, text=True, check=True)
    print(f"{command}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    return json.loads(done.stdout.splitlines()[-1])


def _growth_figures(raw: dict[str, Any], cycles: str) -> list[Figure]:
    """A warm cycle with a year of prices, and with a long log, against one with a week and an empty log."""
    costs = {name: _run(f"{command} {cycles}") for name, command in _GROWTH.items()}
    raw.update(costs)
    (base, start), *grown = ((name, cost["cpu_mean_s"]) for name, cost in costs.items())
    return [Figure(name, value, "CPU-s", 1.15, base, start) for name, value in grown]


def _report(figures: Sequence[Figure], raw: dict[str, Any], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    machine = {"processors": os.cpu_count(), "system": platform.platform(), "python": platform.python_version()}
    report = {"machine": machine, "figures": [figure.to_json() for figure in figures], "raw": raw}
    (folder / "bench.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(f"{table(figures)}\nJSON: {folder / 'bench.json'}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run everything and print the table; 1 if a target was missed."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--quick",
        action="store_true",
        help="watch the suite for 3 minutes, not 7 and 21: start-up then dominates bytes written",
    )
    parser.add_argument("--cycles", type=int, default=12, help="warm cycles behind each median")
    parser.add_argument("--out", type=Path, default=PROJECT / "reports" / "bench")
    given = parser.parse_args(arguments)
    cycles = f"--cycles {given.cycles}"
    commands = [
        f"cycle {cycles}",
        f"cycle --coins 250 --rows 4032 --history-days 14 {cycles}",
        "store",
        "api",
        f"suite --coins 10 --minutes {3 if given.quick else 7}",
        f"suite --coins 250 --minutes {3 if given.quick else 21}",
    ]
    raw = {command: _run(command) for command in commands}
    growth = _growth_figures(raw, cycles)
    figures = [
        figure
        for command in commands
        for figure in importlib.import_module(f"bench.{command.split()[0]}").figures(raw[command])
    ]
    _report([*figures, *growth], raw, given.out)
    if os.environ.get(_RECORDINGS):
        print("\nQuality of the forecasts:", flush=True)
        subprocess.run([sys.executable, "-m", "bench.forecast_quality"], cwd=PROJECT, check=True)
    else:
        print(f"forecast_quality: skipped, {_RECORDINGS} names no recordings")
    return exit_code([*figures, *growth])
