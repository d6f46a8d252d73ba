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

from bench.figures import Figure, table
from bench.market import Market
from bench.process_cost import private_mb
from core.price_store import open_writer
from core.processes.health_schema import PIPELINE
from core.processes.heartbeat import Heartbeat
from core.settings import load_settings
from core.times import DAY_MS, GRID_STEP_MS, HOUR_MS, now_ms
from core.workspace import open_workspace
from model.loop.session import open_session
from model.pipeline import Pipeline

__all__ = ["main", "memory_by_hour"]

_HISTORY_DAYS: Final = 14
_INTERVAL_MS: Final = 30_000
_READINGS_AN_HOUR: Final = 12
_MOST_MB_AN_HOUR: Final = 0.5


def memory_by_hour(folder: Path, coins: int, hours: float) -> Iterator[tuple[float, float]]:
    """Hours since the first cycle, and the megabytes that the process has written and shares with no other."""
    settings = load_settings(source="demo", data_dir=folder / "data", models_dir=folder / "models", log_level="ERROR")
    workspace = open_workspace(settings)
    rows, end_ms = _HISTORY_DAYS * DAY_MS // GRID_STEP_MS, now_ms() - round(hours * HOUR_MS) - HOUR_MS
    market = Market.stored(workspace.database, coins=coins, rows=rows, days=_HISTORY_DAYS, end_ms=end_ms)
    with (
        Heartbeat(settings.run_dir, PIPELINE) as heartbeat,
        open_writer(workspace.database) as writer,
        open_session(settings) as session,
    ):
        pipeline, cycles_an_hour = Pipeline(session, heartbeat), HOUR_MS // _INTERVAL_MS
        pipeline.cycle(market.now_ms)
        for cycle in range(round(hours * cycles_an_hour) + 1):
            if cycle % (cycles_an_hour // _READINGS_AN_HOUR) == 0:
                yield cycle / cycles_an_hour, private_mb()
            assert pipeline.cycle(market.poll(writer, _INTERVAL_MS)), "a coin has no forecast"


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
    return 0 if slope.met else 1
