"""`python -m bench floor`: what each process costs before a line of this project runs: its libraries, imported."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

from core.settings import PROJECT

__all__ = ["Floor", "floors", "main"]

_LIBRARIES: Final = {
    "collector": "psutil, pydantic_settings, requests, sqlite3",
    "pipeline": "numpy, psutil, pydantic_settings, pyarrow.parquet, sklearn.ensemble, sqlite3",
    "api": "fastapi, psutil, pyarrow.parquet, pydantic_settings, sqlite3, uvicorn",
    "dashboard": "pandas, plotly.graph_objects, psutil, pyarrow.parquet, pydantic_settings, sqlite3, streamlit",
}
_PROBE: Final = """
from core.processes.child import hide_modules
hide_modules("{hidden}")
import {libraries}
import json, time
from bench.process_cost import memory_mb
print(json.dumps([time.process_time(), memory_mb()]))
"""


@dataclass(frozen=True)
class Floor:
    """A process's libraries alone: CPU-seconds to import them, memory in MB (PSS) afterwards."""

    process: str
    libraries: str
    cpu_s: float
    memory_mb: float


def floors(repeats: int = 3) -> list[Floor]:
    """Import each process's libraries in a fresh interpreter, with the environment the supervisor gives it; medians."""
    found = []
    for process, libraries in _LIBRARIES.items():
        samples = [_probe(process, libraries) for _ in range(repeats)]
        cpu, memory = (statistics.median(column) for column in zip(*samples, strict=True))
        found.append(Floor(process, libraries, cpu, memory))
    return found


def _probe(process: str, libraries: str) -> tuple[float, float]:
    hidden = "pandas" if process == "pipeline" else ""
    command = [sys.executable, "-c", _PROBE.format(hidden=hidden, libraries=libraries)]
    done = subprocess.run(command, cwd=PROJECT, env=os.environ, capture_output=True, text=True, check=True)
    cpu, memory = json.loads(done.stdout)
    return cpu, memory


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench floor", description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    found = floors(options.repeats)
    if options.json:
        print(json.dumps([asdict(floor) for floor in found]))
        return 0
    print(f"{'process':12} {'CPU-s':>6} {'MB':>6}  libraries")
    for floor in found:
        print(f"{floor.process:12} {floor.cpu_s:6.2f} {floor.memory_mb:6.1f}  {floor.libraries}")
    return 0
