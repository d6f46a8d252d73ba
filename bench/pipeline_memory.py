"""`python -m bench pipeline_memory`: the pipeline's memory over hours at the usual pace, with waits skipped.

One process has the pipeline of the suite and 14 days of stored prices. Before each cycle every coin gets a new price,
30 seconds after the last.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from bench.figures import Figure, exit_code, table
from bench.process_cost import private_mb
from bench.stored_pipeline import complete_cycle, stored_pipeline
from core.settings import load_settings
from core.times import DAY_MS, GRID_STEP_MS, HOUR_MS, now_ms

__all__ = ["main", "memory_by_hour"]

_HISTORY_DAYS: Final = 14
_INTERVAL_MS: Final = 30_000
_CYCLES_AN_HOUR: Final = HOUR_MS // _INTERVAL_MS
_CYCLES_A_READING: Final = 10
_MOST_MB_AN_HOUR: Final = 0.5


def memory_by_hour(folder: Path, coins: int, hours: float) -> Iterator[tuple[float, float]]:
    """Hours since the first cycle, and the megabytes that the process has written and shares with no other."""
    settings = load_settings(source="demo", data_dir=folder / "data", models_dir=folder / "models", log_level="ERROR")
    rows, end_ms = _HISTORY_DAYS * DAY_MS // GRID_STEP_MS, now_ms() - round(hours * HOUR_MS) - HOUR_MS
    with stored_pipeline(settings, coins=coins, rows=rows, days=_HISTORY_DAYS, end_ms=end_ms) as stored:
        complete_cycle(stored.pipeline, stored.market.now_ms)
        for cycle in range(round(hours * _CYCLES_AN_HOUR) + 1):
            if cycle % _CYCLES_A_READING == 0:
                yield cycle / _CYCLES_AN_HOUR, private_mb()
            complete_cycle(stored.pipeline, stored.market.poll(stored.writer, _INTERVAL_MS))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 1 if the slope of the later half is too steep."""
    parser = argparse.ArgumentParser(prog="python -m bench pipeline_memory", description=__doc__)
    parser.add_argument("--coins", type=int, default=10)
    parser.add_argument("--hours", type=float, default=6.0)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        readings = list(memory_by_hour(Path(folder), given.coins, given.hours))
    later = [reading for reading in readings if reading[0] >= given.hours / 2]
    what = f"growth of the pipeline, {given.coins} coins, hours {given.hours / 2:g} to {given.hours:g}"
    hour, megabytes = np.array(later).T
    slope = Figure(what, float(np.polyfit(hour, megabytes, 1)[0]), "MB/h", _MOST_MB_AN_HOUR)
    every = [Figure(f"after {at:g} hours", mb, "MB") for at, mb in readings if at == round(at)]
    print(table([*every, slope]))
    return exit_code([slope])
