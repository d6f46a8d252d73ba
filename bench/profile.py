"""`python -m bench profile`: where a warm cycle spends its time, by step and by function, sampled with py-spy.

The sampled command is `python -m bench cycle`; its start and its warm-up are left out. Needs requirements-dev.txt.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from core.settings import PROJECT

__all__ = ["main", "shares"]

_WARM: Final = "_warm_cycles (bench/cycle.py"
_CYCLE: Final = "Pipeline.cycle (model/pipeline.py"
_HELPERS: Final = ("Pipeline._attempt", "Pipeline.cycle.<locals>", "Pipeline._take_prices", "Pipeline._inspect")
_OWN: Final = re.compile(r"\((?:core|etl|model|bench)/")
_HERTZ: Final = 250
_SHOWN: Final = 14


def shares(stacks: Iterable[str]) -> tuple[Counter[str], Counter[str]]:
    """Samples of warm cycles, by the pipeline's step and by the innermost function of this project.

    Args:
        stacks: lines as py-spy's raw format has them: `outer (file:line);inner (file:line) samples`.
    """
    steps: Counter[str] = Counter()
    functions: Counter[str] = Counter()
    for stack in stacks:
        frames, _, count = stack.rpartition(" ")
        names = [re.sub(r":\d+\)$", ")", frame) for frame in frames.split(";")]
        if not any(name.startswith(_WARM) for name in names):
            continue
        functions[[name for name in names if _OWN.search(name)][-1]] += int(count)
        place = next((number for number, name in enumerate(names) if name.startswith(_CYCLE)), None)
        inner = [] if place is None else [name for name in names[place + 1 :] if not name.startswith(_HELPERS)]
        steps[inner[0] if inner else "the cycle around them, and the price store of the benchmark"] += int(count)
    return steps, functions


def _record(coins: int, rows: int, days: float, cycles: int, file: Path) -> None:
    profiler = shutil.which("py-spy", path=sysconfig.get_path("scripts")) or shutil.which("py-spy")
    if profiler is None:
        raise FileNotFoundError("py-spy is not installed: it comes with requirements-dev.txt")
    sizes = {"coins": coins, "rows": rows, "history-days": days, "cycles": cycles}
    command = [profiler, "record", "--format", "raw", "--rate", str(_HERTZ), "--output", str(file), "--"]
    command += [sys.executable, "-m", "bench", "cycle", *(f"--{name}={value}" for name, value in sizes.items())]
    subprocess.run(command, cwd=PROJECT, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def main(arguments: Sequence[str] | None = None) -> int:
    """Sample and print both tables."""
    parser = argparse.ArgumentParser(prog="python -m bench profile", description=__doc__)
    parser.add_argument("--coins", type=int, default=250)
    parser.add_argument("--rows", type=int, default=4032, help="prices per coin")
    parser.add_argument("--history-days", type=float, default=14.0)
    parser.add_argument("--cycles", type=int, default=60)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "stacks.txt"
        _record(options.coins, options.rows, options.history_days, options.cycles, file)
        steps, functions = shares(file.read_text(encoding="utf-8").splitlines())
    total = steps.total()
    for title, counts in (("step", steps), ("innermost function of this project", functions)):
        print(f"{title:72} share  ms a cycle")
        for name, count in counts.most_common(_SHOWN):
            print(f"{name:72} {count / total:5.1%}  {1000 * count / _HERTZ / options.cycles:10.1f}")
        print()
    return 0
