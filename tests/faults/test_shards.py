"""Processes of shards, and the pipeline above them, killed or hung at random instants in a running suite."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from typing import Final

import psutil
import pyarrow.compute as pc
import pytest

from core.processes.health_schema import PIPELINE, PipelineProgress
from core.processes.heartbeat import read_health
from core.publishing.manifest import ManifestReader
from core.publishing.parquet import read_table
from core.settings import DEFAULT_COINS
from etl.local_market.coin_names import coins_wanted
from etl.local_market.market import price_at
from etl.local_market.simulated import SimulatedMarket
from model.loop.shard_messages import shard_of
from tests.support.integrity import Witness
from tests.support.running_suite import RunningSuite

pytestmark = [
    pytest.mark.faults,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(os.name == "nt", reason="signals of POSIX"),
]

KILLS: Final = 50 if os.environ.get("CRYPTO_FULL_FAULTS") == "1" else 4
SHARDS: Final = 3
INTERVAL_S: Final = 5
PATIENCE_S: Final = 240
Tell = Callable[..., None]


def test_killed_and_hung_workers_lose_nothing(runs: Callable[..., RunningSuite], tell: Tell) -> None:
    """Whenever a worker ends or hangs, its coins alone are late, are named, and have new forecasts soon."""
    run = runs("--demo", "--shards", str(SHARDS))
    witness, dice, survived, longest = _witness(run), random.Random(3), 0, 0
    run.wait(lambda: run.forecasts(DEFAULT_COINS), PATIENCE_S)
    for count in range(KILLS):
        time.sleep(dice.uniform(0, 2 * INTERVAL_S))
        victim = dice.choice(run.wait(lambda: _all_workers(run), PATIENCE_S))
        victim.send_signal(signal.SIGSTOP if count % 5 == 4 else signal.SIGKILL)
        late_in = _late_cycles(run)
        longest = max(longest, len(late_in))
        (late,) = set(late_in)
        shard = shard_of(late[0], SHARDS)
        assert set(late) == {coin for coin in DEFAULT_COINS if shard_of(coin, SHARDS) == shard}
        assert not victim.is_running()
        witness.look()
        survived += not witness.problems
    tell(f"killed and hung workers (late {longest} cycles)", KILLS, survived, witness.lost, witness.wrong)
    assert witness.problems == []
    _assert_each_scored_once(run)
    assert run.end(signal.SIGTERM, orphans_s=5) == 0


def test_a_killed_pipeline_takes_its_workers_along(runs: Callable[..., RunningSuite], tell: Tell) -> None:
    """Each time the pipeline is killed its workers end, hanging or not, and its successor loses and doubles nothing."""
    run = runs("--demo", "--shards", str(SHARDS))
    witness, dice, survived = _witness(run), random.Random(4), 0
    run.wait(lambda: run.forecasts(DEFAULT_COINS), PATIENCE_S)
    for _ in range(KILLS):
        time.sleep(dice.uniform(0, INTERVAL_S))
        workers = run.wait(lambda: _all_workers(run), PATIENCE_S)
        dice.choice(workers).suspend()
        run.kill_child("pipeline")
        _, alive = psutil.wait_procs(workers, timeout=5)
        assert not alive
        run.wait(lambda: _progress(run).cycle, PATIENCE_S)
        witness.look()
        survived += not witness.problems
    tell("killed pipelines with workers", KILLS, survived, witness.lost, witness.wrong)
    assert witness.problems == []
    _assert_each_scored_once(run)
    assert run.end(signal.SIGTERM, orphans_s=5) == 0


def _witness(run: RunningSuite) -> Witness:
    market = SimulatedMarket(coins_wanted(",".join(DEFAULT_COINS)), 0)
    models = run.data_dir.parent / "modelos" / "demo"
    return Witness(run.data_dir / "demo", models, lambda coin, ts_ms: price_at(market, coin, ts_ms))


def _progress(run: RunningSuite) -> PipelineProgress:
    health = read_health(run.run_dir, PIPELINE)
    return health.progress if health.pid == run.children()["pipeline"].pid else PipelineProgress()


def _all_workers(run: RunningSuite) -> list[psutil.Process] | None:
    """The worker of each shard, once all of them take part."""
    pid = run.children()["pipeline"].pid
    progress = _progress(run)
    if pid is None or not progress.cycle or progress.late:
        return None
    below = psutil.Process(pid).children(recursive=True)
    workers = [process for process in below if process.ppid() != pid]
    return workers if len(workers) == SHARDS else None


def _late_cycles(run: RunningSuite) -> list[tuple[str, ...]]:
    """The coins named as late in each cycle, from the first with any to the last."""
    late: dict[int, tuple[str, ...]] = {}

    def are_back() -> bool:
        progress = _progress(run)
        if progress.late and progress.cycle is not None:
            late[progress.cycle] = progress.late
        return bool(late) and not progress.late

    run.wait(are_back, PATIENCE_S)
    return list(late.values())


def _assert_each_scored_once(run: RunningSuite) -> None:
    """Each logged forecast is scored once or awaits its outcome."""

    def are_accounted_for() -> bool:
        folder = run.data_dir / "demo" / "processed"
        parts = ManifestReader(folder).current().parts
        tables = [read_table(folder / part.file, ["n"]) for part in parts.get("scores", ())]
        scored = sum(pc.sum(table["n"]).as_py() for table in tables)
        progress = _progress(run)
        return bool(progress.log_rows == scored + (progress.awaiting_outcome or 0))

    run.wait(are_accounted_for, PATIENCE_S)
