"""`python -m bench startup`: from the start of a process to its first request served, or its first cycle.

Each process alone, with the command line and the environment that the supervisor gives it.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import tempfile
import time
import urllib.error
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from bench.market import Market
from core.processes.heartbeat import read_health
from core.publishing.manifest import MANIFEST
from core.settings import PROJECT, Settings, load_settings
from core.times import now_ms
from core.workspace import open_workspace, publish_source
from suite import children
from suite.ports import free_port
from suite.supervisor import ChildSpec
from tests.support.running_suite import DIRECT

__all__ = ["StartCost", "main", "measure_start"]

_PATIENCE_S: Final = 300.0


@dataclass(frozen=True)
class StartCost:
    """Medians in seconds from process start: API and dashboard to the first request served, pipeline to its first
    complete cycle with a stored model (`pipeline_s`) and without one (`pipeline_cold_s`), and without one to its first
    forecasts (`forecasts_cold_s`).
    """

    coins: int
    history_days: int
    api_s: float
    dashboard_s: float
    pipeline_s: float
    pipeline_cold_s: float
    forecasts_cold_s: float


def measure_start(folder: Path, *, coins: int, history_days: int = 14, repeats: int = 3) -> StartCost:
    """Fill a store in the empty `folder` and start each process `repeats` times (the cold pipeline once)."""
    ports = {name: free_port(set()) for name in ("api_port", "dashboard_port")}
    settings = load_settings(source="demo", data_dir=folder / "data", models_dir=folder / "models", **ports)
    workspace = open_workspace(settings)
    publish_source(settings, workspace, None)
    rows = 288 * history_days
    Market.stored(workspace.database, coins=coins, rows=rows, days=history_days, end_ms=now_ms())
    forecasts_s, cold_s = _until_trained(settings, workspace.processed / MANIFEST)
    warm_s = statistics.median(_seconds(children.pipeline(settings), _cycled(settings)) for _ in range(repeats))
    api_s = statistics.median(
        _seconds(children.api(settings), _served(settings.api_port, "/status")) for _ in range(repeats)
    )
    dashboard_s = statistics.median(
        _seconds(children.dashboard(settings), _served(settings.dashboard_port, "/_stcore/health"))
        for _ in range(repeats)
    )
    return StartCost(coins, history_days, api_s, dashboard_s, warm_s, cold_s, forecasts_s)


def _until_trained(settings: Settings, manifest: Path) -> tuple[float, float]:
    """Seconds to the first forecasts and to the first cycle without a model; the process goes on until it has one,
    and stores it when it ends.
    """
    cycled = _cycled(settings)
    with _running(children.pipeline(settings)) as (began, process):
        _wait(manifest.exists, process)
        forecasts_s = time.monotonic() - began
        _wait(cycled, process)
        cycle_s = time.monotonic() - began
        _wait(lambda: read_health(settings.run_dir, "pipeline").progress.get("trained_at"), process)
    return forecasts_s, cycle_s


def _seconds(spec: ChildSpec, ready: Callable[[], object]) -> float:
    with _running(spec) as (began, process):
        _wait(ready, process)
        return time.monotonic() - began


@contextmanager
def _running(spec: ChildSpec) -> Iterator[tuple[float, subprocess.Popen[bytes]]]:
    began = time.monotonic()
    process = subprocess.Popen(
        spec.argv, env=dict(spec.environment), cwd=PROJECT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield began, process
    finally:
        process.terminate()
        process.wait(30)


def _wait(ready: Callable[[], object], process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not ready():
        assert process.poll() is None, "the process ended"
        assert time.monotonic() < deadline, "it never became ready"
        time.sleep(0.02)


def _served(port: int, path: str) -> Callable[[], bool]:
    def answers() -> bool:
        try:
            with DIRECT.open(f"http://127.0.0.1:{port}{path}", timeout=5) as reply:
                return bool(reply.status == 200)
        except (OSError, urllib.error.URLError):
            return False

    return answers


def _cycled(settings: Settings) -> Callable[[], bool]:
    """Whether a pipeline started after this one has completed a cycle."""
    before = read_health(settings.run_dir, "pipeline").started_at

    def done() -> bool:
        health = read_health(settings.run_dir, "pipeline")
        return "cycle" in health.progress and health.started_at != before

    return done


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench startup", description=__doc__)
    parser.add_argument("--coins", type=int, default=10)
    parser.add_argument("--history-days", type=int, default=14)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        cost = measure_start(
            Path(folder), coins=options.coins, history_days=options.history_days, repeats=options.repeats
        )
    if options.json:
        print(json.dumps(asdict(cost)))
    else:
        for name, value in asdict(cost).items():
            print(f"{name:16} {value}")
    return 0
