"""`python -m bench cadence`: how far forecasts are behind their prices while processes are killed at random moments.

A real suite on a simulated market. The age of a forecast is the time from the fetch of its price to the moment at which
a reader sees the forecast. Prices that were fetched while no pipeline ran are counted apart.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any, Final

from bench.figures import Figure, table
from bench.suite import percentile_95
from core.errors import DamagedFile, NotReady
from core.reading.readers import Readers
from core.settings import load_settings
from core.times import now_ms
from tests.support.running_suite import RunningSuite

__all__ = ["ForecastAges", "figures", "main", "measure_cadence"]

_LOOK_S: Final = 0.05
_PATIENCE_S: Final = 300.0
_KILLED: Final = ("pipeline", "collector", "pipeline", "api")
"""Killed in turn."""


class ForecastAges:
    """Notes when each forecast of a coin becomes visible, and when its price was fetched; for one thread."""

    def __init__(self, readers: Readers, coin: str) -> None:
        self._readers = readers
        self._coin = coin
        self._origin_ms = 0
        self.seen: list[tuple[int, int]] = []
        """Fetch of the price and first sight of the forecast, in UTC milliseconds."""

    def look(self) -> None:
        """Take note of the newest forecast if it is of a new price."""
        try:
            origin_ms = self._readers.forecast(self._coin).origin_ms
            prices = self._readers.history(self._coin, origin_ms, origin_ms, 1)
        except (NotReady, DamagedFile):
            return
        if origin_ms != self._origin_ms and prices:
            self._origin_ms = origin_ms
            self.seen.append((prices[0].fetched_ms, now_ms()))

    def next_sight_ms(self, moment_ms: int) -> int | None:
        """When the first forecast after a moment became visible."""
        return next((seen for _, seen in self.seen if seen > moment_ms), None)

    def split(self, kills_ms: Sequence[int]) -> tuple[list[float], list[float]]:
        """Ages in seconds of forecasts whose price was fetched while a pipeline ran, and of the others."""
        away = [(kill, self.next_sight_ms(kill) or kill) for kill in kills_ms]
        ages: tuple[list[float], list[float]] = ([], [])
        for fetched, seen in self.seen:
            ages[any(begin <= seen and fetched <= end for begin, end in away)].append((seen - fetched) / 1000)
        return ages


@contextmanager
def _watched(ages: ForecastAges) -> Iterator[None]:
    """Look at the forecasts in a thread."""
    done = threading.Event()

    def watch() -> None:
        while not done.wait(_LOOK_S):
            ages.look()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


def measure_cadence(folder: Path, *, restarts: int, interval_s: float, seed: int) -> dict[str, Any]:
    """Kill processes of a suite in the empty `folder` at random moments, one to three intervals apart.

    Returns:
        Ages in seconds: `steady` of prices fetched while a pipeline ran, `away` of the others.
    """
    dice = random.Random(seed)
    suite = RunningSuite(
        folder, "--demo", "--no-browser", "--interval", str(interval_s), CRYPTO_CALLS_PER_MINUTE="1000"
    )
    settings = load_settings(source="auto", data_dir=suite.data_dir, models_dir=folder / "modelos")
    ages, kills_ms = ForecastAges(Readers(settings), "bitcoin"), []
    try:
        suite.wait(lambda: suite.forecasts(("bitcoin",)), _PATIENCE_S)
        with _watched(ages):
            time.sleep(2 * interval_s)
            for number in range(restarts):
                name = _KILLED[number % len(_KILLED)]
                if name == "pipeline":
                    kills_ms.append(now_ms())
                suite.kill_child(name)
                time.sleep(dice.uniform(interval_s, 3 * interval_s))
    finally:
        suite.end(signal.SIGTERM)
    steady, away = ages.split(kills_ms)
    return {"restarts": restarts, "interval_s": interval_s, "steady": steady, "away": away}


def figures(cadence: Mapping[str, Any]) -> list[Figure]:
    """Median and 95th percentile of the ages."""
    steady, away = cadence["steady"], cadence["away"]
    said = f"{cadence['restarts']} restarts, cycles of {cadence['interval_s']:g} s"
    found = [
        Figure(f"age of a forecast behind its price, {said}, p50 of {len(steady)}", median(steady), "s"),
        Figure(f"age of a forecast behind its price, {said}, p95 of {len(steady)}", percentile_95(steady), "s", 5),
    ]
    if away:
        found.append(Figure(f"its price fetched while no pipeline ran, longest of {len(away)}", max(away), "s"))
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench cadence", description=__doc__)
    parser.add_argument("--restarts", type=int, default=20)
    parser.add_argument("--interval", type=float, default=30.0, help="seconds between two polls and two cycles")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        options = {"restarts": given.restarts, "interval_s": given.interval, "seed": given.seed}
        cadence = measure_cadence(Path(folder), **options)
    print(json.dumps(cadence) if given.json else table(figures(cadence)))
    return 0
