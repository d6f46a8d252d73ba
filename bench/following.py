"""`python -m bench following`: what it costs to follow the forecasts of a suite whose API and pipeline are killed.

Two copies of the client follow all coins, one by stream, one by polling; the truth are the published files. Cycles of
`--interval` seconds stand for those of 30: as many cycles as in ten minutes, in less time. A poll sees the newest
forecasts alone, so the interval must be longer than the API takes to come back.
"""

from __future__ import annotations

import argparse
import json
import signal
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from bench.figures import Figure, table
from client.crypto_client import Client
from core.errors import NotReady
from core.reading.changes import published_forecasts
from core.reading.readers import Readers
from core.settings import load_settings
from core.times import parse_iso
from tests.support.running_suite import RunningSuite

__all__ = ["figures", "main", "measure_following"]

_LOOK_S: Final = 0.1
_PATIENCE_S: Final = 300.0
_USUAL_INTERVAL_S: Final = 30.0

_Forecasts = Counter[tuple[str, int]]
"""How often each forecast came, by coin and origin."""


class _Follower:
    """Follows in a thread, from the first forecast of every coin on; counts what comes and the calls it takes."""

    def __init__(self, address: str, *, by_stream: bool) -> None:
        self.client = Client(address)
        self.came: _Forecasts = Counter()
        self._by_stream = by_stream
        threading.Thread(target=self._follow, daemon=True).start()

    def _follow(self) -> None:
        for event in self.client.follow(by_stream=self._by_stream):
            if event.kind == "previsao":
                self.came[event.body["id"], parse_iso(event.body["horario"])] += 1


class _Publications:
    """Notes every forecast that is published, from the files themselves."""

    def __init__(self, readers: Readers) -> None:
        self._readers = readers
        self._read: set[int] = set()
        self.first_seen: dict[tuple[str, int], float] = {}

    def look(self) -> None:
        """Read the files that are new."""
        folder = self._readers.workspace().processed
        for path in folder.glob("latest-*.parquet"):
            number = int(path.stem.rpartition("-")[2])
            if number in self._read:
                continue
            try:
                forecasts = published_forecasts(folder, number)
            except NotReady:
                continue
            self._read.add(number)
            for forecast in zip(forecasts.coins, forecasts.origin_ms.tolist(), strict=True):
                self.first_seen.setdefault(forecast, time.monotonic())


def measure_following(folder: Path, *, coins: str, interval_s: float, cycles: int) -> dict[str, Any]:
    """Follow a suite in the empty `folder` for so many cycles; its API is killed after a third, its pipeline after two.

    Returns:
        Forecasts published, and for `stream` and `poll` the calls made, forecasts missed, and forecasts told twice.
    """
    options = ("--demo", "--no-browser", "--coins", coins, "--interval", str(interval_s))
    suite = RunningSuite(folder, *options, CRYPTO_CALLS_PER_MINUTE="1000")
    readers = Readers(load_settings(source="auto", data_dir=suite.data_dir, models_dir=folder / "modelos"))
    truth = _Publications(readers)
    try:
        suite.wait(lambda: suite.get("/prever"), _PATIENCE_S)
        address = f"http://127.0.0.1:{suite.api_port}"
        followers = {name: _Follower(address, by_stream=name == "stream") for name in ("stream", "poll")}
        suite.wait(lambda: all(follower.came for follower in followers.values()), _PATIENCE_S)
        began = time.monotonic()
        kills = {"api": began + cycles * interval_s / 3, "pipeline": began + 2 * cycles * interval_s / 3}
        while (now := time.monotonic()) < began + cycles * interval_s:
            truth.look()
            for name in [name for name, at in kills.items() if at <= now]:
                del kills[name]
                threading.Thread(target=suite.kill_child, args=(name,), daemon=True).start()
            time.sleep(_LOOK_S)
        calls = {name: follower.client.calls for name, follower in followers.items()}
        time.sleep(2 * interval_s)
    finally:
        suite.end(signal.SIGTERM)
    due = {forecast for forecast, at in truth.first_seen.items() if began < at}
    found: dict[str, Any] = {"published": len(due), "coins": coins, "cycles": cycles, "interval_s": interval_s}
    for name, follower in followers.items():
        missed, doubled = len(due - follower.came.keys()), sum(count > 1 for count in follower.came.values())
        found[name] = {"calls": calls[name], "missed": missed, "doubled": doubled}
    return found


def figures(cost: Mapping[str, Any]) -> list[Figure]:
    """Calls, missed and doubled forecasts of both ways."""
    factor = _USUAL_INTERVAL_S / cost["interval_s"]
    said = f"{cost['published']} forecasts in {cost['cycles']} cycles, {factor:.3g} times as fast"
    return [
        figure
        for name, limit in (("stream", 4), ("poll", 80))
        for figure in (
            Figure(f"calls to follow by {name}, {said}", cost[name]["calls"], "", limit),
            Figure(f"forecasts missed by {name}", cost[name]["missed"], "", 0),
            Figure(f"forecasts told twice by {name}", cost[name]["doubled"], "", 0),
        )
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench following", description=__doc__)
    parser.add_argument("--coins", default="top:10")
    parser.add_argument("--interval", type=float, default=15.0, help="seconds between two polls and two cycles")
    parser.add_argument("--cycles", type=int, default=20)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        options = {"coins": given.coins, "interval_s": given.interval, "cycles": given.cycles}
        cost = measure_following(Path(folder), **options)
    print(json.dumps(cost) if given.json else table(figures(cost)))
    return 0
