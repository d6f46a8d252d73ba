"""`python -m bench cycle`: the cost of warm cycles of the real pipeline, on a price store that is filled here.

Every measured cycle starts with one new price per coin, `--step` seconds after the last one. With the default of 300,
every cycle completes grid rows, learns from matured ones, logs forecasts and scores an hour's worth of horizons, and
one cycle in three stores the model. With 30, nine of ten cycles find no new grid row, as in the running loop. Times
are medians; `cpu_mean_s` and `bytes_written` are means, which also count what only some cycles do.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.figures import Figure, table
from bench.market import coin_names
from bench.naive_loop import naive_loop_cpu_s
from bench.process_cost import cpu_s, memory_mb, written_bytes
from bench.stored_log import store_log
from bench.stored_pipeline import stored_pipeline
from core.processes.health_schema import PIPELINE, Step
from core.processes.heartbeat import read_health
from core.settings import load_settings
from core.times import GRID_STEP_MS, now_ms
from core.workspace import open_workspace
from model.loop.session import Session
from model.pipeline import Pipeline

__all__ = ["figures", "main", "measure_cycles"]

_WARM_UP: Final = 14
"""Cycles, 5 minutes apart, after which each further cycle scores every horizon of an earlier forecast."""


@dataclass(frozen=True)
class _Sample:
    cpu_s: float
    wall_s: float
    bytes_written: int
    steps_s: dict[str, float]


def measure_cycles(
    folder: Path, *, coins: int, rows: int, history_days: float, cycles: int, step_s: int, log_days: int
) -> dict[str, Any]:
    """Fill a store (and a log of `log_days`) in the empty `folder`, start the pipeline on it, measure warm cycles.

    Returns:
        Medians and means per cycle: `cpu_s` and `cpu_mean_s` (with children), `wall_s`, `fit_s`, `other_s` (all but
        the fit), `steps_s`, `bytes_written`; at the end: `pss_mb`, `models_mb`, `log_rows`; `start_s` of the first
        cycle, which learns from all that is stored.
    """
    settings = load_settings(source="demo", data_dir=folder / "data", models_dir=folder / "models")
    end_ms = now_ms() // GRID_STEP_MS * GRID_STEP_MS - 1000 * cycles * step_s - _WARM_UP * GRID_STEP_MS
    store_log(open_workspace(settings).processed, coin_names(coins), log_days, end_ms)
    with stored_pipeline(settings, coins=coins, rows=rows, days=history_days, end_ms=end_ms) as (
        pipeline,
        market,
        writer,
    ):
        session = pipeline.session
        start = _cycle(pipeline, market.now_ms)
        for _ in range(_WARM_UP):
            _cycle(pipeline, market.poll(writer, GRID_STEP_MS))
        samples = [_cycle(pipeline, market.poll(writer, 1000 * step_s)) for _ in range(cycles)]
        assert not pipeline.budget.deferred, "the last cycle was shortened"
        assert session.trained_ms == market.now_ms or not session.executor.can_fit, "the last cycle did not train"
        session.save_model()
        sizes = {"coins": coins, "rows": rows, "history_days": history_days, "cycles": cycles, "step_s": step_s}
        return {**sizes, **_typical(samples), **_left_behind(session), "start_s": start.wall_s}


def _typical(samples: Sequence[_Sample]) -> dict[str, Any]:
    """Medians and means over the cycles; a step counts in the cycles that had it."""
    steps: dict[str, list[float]] = {}
    for sample in samples:
        for name, seconds in sample.steps_s.items():
            steps.setdefault(name, []).append(seconds)
    return {
        "cpu_s": statistics.median(sample.cpu_s for sample in samples),
        "cpu_mean_s": statistics.mean(sample.cpu_s for sample in samples),
        "wall_s": statistics.median(sample.wall_s for sample in samples),
        "fit_s": statistics.median(sample.steps_s[Step.TRAINING] for sample in samples),
        "other_s": statistics.median(sample.wall_s - sample.steps_s[Step.TRAINING] for sample in samples),
        "bytes_written": round(statistics.mean(sample.bytes_written for sample in samples)),
        "steps_s": {name: statistics.median(seconds) for name, seconds in steps.items()},
    }


def _left_behind(session: Session) -> dict[str, Any]:
    models = sum(path.stat().st_size for path in session.workspace.models.iterdir())
    return {"pss_mb": memory_mb(), "models_mb": models / 2**20, "log_rows": session.forecast_log.logged_rows}


def _cycle(pipeline: Pipeline, now: int) -> _Sample:
    """Run one cycle; every coin must get its forecast, from the price just stored."""
    cpu, written, started = cpu_s(), written_bytes(), time.perf_counter()
    complete = pipeline.cycle(now)
    wall = time.perf_counter() - started
    assert complete, "a coin has no forecast"
    assert max(pipeline.session.executor.origins.values()) == now, "the new prices were not read"
    trouble = read_health(pipeline.session.settings.run_dir, PIPELINE).progress.failed_steps
    assert not trouble, trouble
    return _Sample(cpu_s() - cpu, wall, written_bytes() - written, dict(pipeline.budget.seconds))


def figures(cost: Mapping[str, Any]) -> list[Figure]:
    """The figures of one run; the naive loop is the yardstick, if it was measured."""
    size = f"{cost['coins']} coins x {cost['rows']:,} rows"
    naive = cost.get("naive_cpu_s")
    ratio_limit = None if naive is None else 0.05
    return [
        Figure(f"warm cycle, {size}", cost["cpu_s"], "CPU-s", ratio_limit, "naive loop", naive),
        Figure(f"warm cycle, {size}, alone", cost["wall_s"], "s", 10),
        Figure(f"everything but the fit, {size}", cost["other_s"], "s", 0.5 if cost["coins"] <= 10 else 4),
        Figure(f"models/, {cost['coins']} coins", cost["models_mb"], "MB", 30),
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; one JSON object on the last line with `--json`."""
    parser = argparse.ArgumentParser(prog="python -m bench cycle", description=__doc__)
    parser.add_argument("--coins", type=int, default=10)
    parser.add_argument("--rows", type=int, default=20_000, help="prices per coin")
    parser.add_argument("--history-days", type=float, default=7.0, help="over which they are spread evenly")
    parser.add_argument("--cycles", type=int, default=5)
    parser.add_argument("--step", type=int, default=300, help="seconds of market time between two cycles")
    parser.add_argument("--log-days", type=int, default=0, help="days of logged forecasts stored before the start")
    parser.add_argument("--no-naive", action="store_true", help="without the naive loop as yardstick")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    size = {"coins": given.coins, "rows": given.rows}
    more = {"history_days": given.history_days, "cycles": given.cycles, "step_s": given.step}
    with tempfile.TemporaryDirectory() as folder:
        cost = measure_cycles(Path(folder), **size, **more, log_days=given.log_days)
    if not given.no_naive:
        cost["naive_cpu_s"] = naive_loop_cpu_s(**size, days=given.history_days)
    print(json.dumps(cost) if given.json else table(figures(cost)))
    return 0
