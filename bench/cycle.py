"""`python -m bench cycle`: what warm cycles of the real pipeline cost, on a price store that is filled here.

Every measured cycle begins with one new price per coin, `--step` seconds after the last. With the default, 300, every
cycle completes grid rows, learns from matured ones, logs and scores an hour's worth of horizons, and one in three
stores the model. With 30, nine of ten cycles find no new grid row, as in the running loop. Times are medians;
`cpu_mean_s` and `bytes_written` are means, so that what only some cycles do is counted too.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from bench.market import Market
from bench.process_cost import cpu_s, memory_mb, written_bytes
from bench.stored_log import store_log
from core.price_store import PriceWriter
from core.processes.heartbeat import Heartbeat, read_health
from core.settings import load_settings
from core.times import GRID_STEP_MS, now_ms
from core.workspace import open_workspace
from model.loop.session import Session, open_session
from model.pipeline import TRAINING, Pipeline

__all__ = ["CycleCost", "main", "measure_cycles"]

_WARM_UP: Final = 14
"""Cycles, 5 minutes apart, after which every horizon of an earlier forecast comes due in each further one."""


@dataclass(frozen=True)
class CycleCost:
    """Medians (and two means) over warm cycles, and what the first start took.

    `cpu_s` and `cpu_mean_s` count children, `other_s` is everything but the fit, `bytes_written` per cycle, `pss_mb`
    and `models_mb` at the end. `fit_rows` is what the forest learns from; `start_s` and `start_cpu_s` are what the
    first cycle took, which learns from all that is stored.
    """

    coins: int
    rows: int
    history_days: float
    cycles: int
    step_s: int
    cpu_s: float
    cpu_mean_s: float
    wall_s: float
    wall_max_s: float
    fit_s: float
    other_s: float
    pss_mb: float
    models_mb: float
    bytes_written: int
    start_s: float
    start_cpu_s: float
    log_rows: int
    fit_rows: int
    steps_s: dict[str, float]


@dataclass(frozen=True)
class _Sample:
    cpu_s: float
    wall_s: float
    bytes_written: int
    steps_s: dict[str, float]


def measure_cycles(
    folder: Path,
    *,
    coins: int,
    rows: int,
    history_days: float,
    cycles: int = 5,
    step_s: int = 300,
    log_days: int = 0,
    seed: int = 0,
) -> CycleCost:
    """Fill a store (and a log of `log_days`) in the empty `folder`, start the pipeline on it, and measure `cycles`
    warm cycles.
    """
    settings = load_settings(source="demo", data_dir=folder / "data", models_dir=folder / "models")
    workspace = open_workspace(settings)
    database = workspace.database
    end_ms = now_ms() // GRID_STEP_MS * GRID_STEP_MS - 1000 * cycles * step_s - _WARM_UP * GRID_STEP_MS
    market = Market.stored(database, coins=coins, rows=rows, days=history_days, end_ms=end_ms, seed=seed)
    store_log(workspace.processed, market.coins, log_days, end_ms)
    with (
        Heartbeat(settings.run_dir, "pipeline") as heartbeat,
        PriceWriter(database) as writer,
        open_session(settings) as session,
    ):
        pipeline = Pipeline(session, heartbeat)
        start = _cycle(pipeline, market.now_ms)
        for _ in range(_WARM_UP):
            _cycle(pipeline, market.poll(writer, GRID_STEP_MS))
        samples = _warm_cycles(pipeline, market, writer, cycles, 1000 * step_s)
        learner = session.engine.learner
        assert not pipeline.clock.put_off, "the last cycle was shortened"
        assert session.trained_ms == market.now_ms or not learner.can_fit, "the last cycle did not train"
        session.save_model()
        return CycleCost(
            coins=coins,
            rows=rows,
            history_days=history_days,
            cycles=cycles,
            step_s=step_s,
            start_s=start.wall_s,
            start_cpu_s=start.cpu_s,
            **_typical(samples),
            **_left_behind(session),
        )


def _typical(samples: Sequence[_Sample]) -> dict[str, Any]:
    """The fields of CycleCost that sum up the cycles; a step counts in those that had it."""
    steps: dict[str, list[float]] = {}
    for sample in samples:
        for name, seconds in sample.steps_s.items():
            steps.setdefault(name, []).append(seconds)
    return {
        "cpu_s": statistics.median(sample.cpu_s for sample in samples),
        "cpu_mean_s": statistics.mean(sample.cpu_s for sample in samples),
        "wall_s": statistics.median(sample.wall_s for sample in samples),
        "wall_max_s": max(sample.wall_s for sample in samples),
        "fit_s": statistics.median(sample.steps_s[TRAINING] for sample in samples),
        "other_s": statistics.median(sample.wall_s - sample.steps_s[TRAINING] for sample in samples),
        "bytes_written": round(statistics.mean(sample.bytes_written for sample in samples)),
        "steps_s": {name: statistics.median(seconds) for name, seconds in steps.items()},
    }


def _left_behind(session: Session) -> dict[str, Any]:
    """The fields of CycleCost that tell what the cycles made: models, log, training rows, memory in use."""
    learner = session.engine.learner
    return {
        "pss_mb": memory_mb(),
        "models_mb": sum(path.stat().st_size for path in session.workspace.models.iterdir()) / 2**20,
        "log_rows": session.book.logged_rows,
        "fit_rows": len(learner.store.sample()[0]) if learner.can_fit else 0,
    }


def _warm_cycles(pipeline: Pipeline, market: Market, writer: PriceWriter, cycles: int, step_ms: int) -> list[_Sample]:
    return [_cycle(pipeline, market.poll(writer, step_ms)) for _ in range(cycles)]


def _cycle(pipeline: Pipeline, now: int) -> _Sample:
    """One cycle; every coin must have got its forecast, from the price just stored."""
    cpu, written, started = cpu_s(), written_bytes(), time.perf_counter()
    complete = pipeline.cycle(now)
    wall = time.perf_counter() - started
    assert complete, "a coin has no forecast"
    assert max(pipeline.session.feed.origins.values()) == now, "the new prices were not read"
    trouble = read_health(pipeline.session.settings.run_dir, "pipeline").progress["trouble"]
    assert trouble is None, trouble
    return _Sample(cpu_s() - cpu, wall, written_bytes() - written, dict(pipeline.clock.seconds))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; one JSON object on the last line with `--json`."""
    parser = argparse.ArgumentParser(prog="python -m bench cycle", description=__doc__)
    parser.add_argument("--coins", type=int, default=10)
    parser.add_argument("--rows", type=int, default=20_000, help="prices per coin")
    parser.add_argument("--history-days", type=float, default=7.0, help="over which they are spread evenly")
    parser.add_argument("--cycles", type=int, default=5)
    parser.add_argument("--step", type=int, default=300, help="seconds of market time between two cycles")
    parser.add_argument("--log-days", type=int, default=0, help="days of logged forecasts that lie there already")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        cost = measure_cycles(
            Path(folder),
            coins=options.coins,
            rows=options.rows,
            history_days=options.history_days,
            cycles=options.cycles,
            step_s=options.step,
            log_days=options.log_days,
            seed=options.seed,
        )
    if options.json:
        print(json.dumps(asdict(cost)))
    else:
        for name, value in asdict(cost).items():
            print(f"{name:14} {value}")
    return 0
