"""The loop with its coins in processes: one that ends or hangs leaves its last forecasts, is named, and comes back."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest

from core.price_store import Coin, Price, open_writer
from core.processes.health_schema import PIPELINE, Step
from core.processes.heartbeat import Heartbeat, read_health
from core.reading.readers import Readers
from core.reading.status import assess_suite
from core.settings import Settings, load_settings
from core.times import GRID_STEP_MS, MINUTE_MS, now_ms
from core.workspace import open_workspace
from model.loop.executor import Executor
from model.loop.session import open_session
from model.loop.shard_messages import shard_of
from model.loop.shard_processes import ShardProcesses
from model.pipeline import Pipeline
from tests.support.dask_cluster import DaskCluster, running_cluster
from tests.support.waiting import wait_until

COINS = ("bitcoin", "ethereum", "solana", "cardano")


def _settings(folder: Path, cluster: DaskCluster | None) -> Settings:
    address = None if cluster is None else cluster.address
    folders = {"data_dir": folder / "data", "models_dir": folder / "models"}
    return load_settings(source="demo", shards=2, interval=5, cluster=address, **folders)


def _store(settings: Settings, now: int, steps: int) -> None:
    """Store a price of each coin every five minutes up to `now`."""
    rng = np.random.default_rng(now % 1000)
    with open_writer(open_workspace(settings).database) as writer:
        writer.update_coins(Coin(coin, coin[:3], coin.title(), rank, now) for rank, coin in enumerate(COINS))
        for coin in COINS:
            prices = 100 * np.exp(np.cumsum(rng.normal(0, 0.001, steps)))
            times = now - GRID_STEP_MS * np.arange(steps)[::-1]
            writer.store(Price(coin, int(ts_ms), float(price)) for ts_ms, price in zip(times, prices, strict=True))


def _workers() -> list[psutil.Process]:
    """The processes of shards: children of the server that forks them, or where there is none of this process."""
    commands = [(child, " ".join(child.cmdline())) for child in psutil.Process().children(recursive=True)]
    forked = [child for child, command in commands if "forkserver" in command and child.ppid() != os.getpid()]
    return forked or [child for child, command in commands if command.endswith("--multiprocessing-fork")]


def _is_news(parts: Executor) -> bool:
    """Whether every shard takes part, or has something to say."""
    assert isinstance(parts, ShardProcesses)
    return all(link.is_member or link.has_answered() for link in parts._team)


@pytest.fixture
def cluster(request: pytest.FixtureRequest) -> Iterator[DaskCluster | None]:
    """None for processes of this machine, or a scheduler and two workers."""
    if not request.param:
        yield None
        return
    pytest.importorskip("distributed", reason="needs requirements-cluster.txt")
    with running_cluster(2) as running:
        yield running


@pytest.mark.slow
@pytest.mark.parametrize(
    ("end", "platform", "cluster"),
    [
        ("kill", sys.platform, False),
        ("suspend", sys.platform, False),
        ("kill", "elsewhere", False),
        ("kill", sys.platform, True),
        ("suspend", sys.platform, True),
    ],
    indirect=["cluster"],
)
def test_a_lost_process_of_a_shard_costs_its_own_coins_one_cycle(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, end: str, platform: str, cluster: DaskCluster | None
) -> None:
    """Killed or hanging, the others are forecast in the same cycle; health and status name the late coins meanwhile.

    So it is with processes that are spawned, as on Windows and macOS. A worker of a cluster may take one cycle more.
    """
    monkeypatch.setattr("model.loop.shard_local.sys", SimpleNamespace(platform=platform))
    settings = _settings(tmp_path, cluster)
    readers, now = Readers(settings), now_ms() - 30 * MINUTE_MS
    _store(settings, now, 300)
    late_in: list[tuple[str, ...]] = []
    with Heartbeat(settings.run_dir, PIPELINE) as heartbeat, open_session(settings) as session:
        pipeline = Pipeline(session, heartbeat)
        assert pipeline.cycle(now) is True
        getattr((cluster.workers() if cluster else _workers())[0], end)()
        while not late_in or session.executor.late:
            now += MINUTE_MS
            _store(settings, now, 1)
            pipeline.cycle(now)
            late = read_health(settings.run_dir, PIPELINE).progress.late
            late_in += [late] if late else []
            origins = {coin: view.origin_ms for coin, view in readers.forecasts().items()}
            assert set(origins) == set(COINS)
            assert {coin for coin in COINS if origins[coin] < now} == set(late)
            problems = [one for one in assess_suite(settings, readers).problems if one.code == "problem.coins_late"]
            assert [one.values["coins"] for one in problems] == ([", ".join(late)] if late else [])
            wait_until(lambda: _is_news(session.executor))
        assert 0 < len(late_in) <= (2 if cluster else 1)
        assert len({shard_of(coin, 2) for coin in late_in[0]}) == 1
    wait_until(lambda: cluster or not _workers())


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_forecasts_stand_while_the_cluster_is_away_and_go_on_by_themselves(tmp_path: Path) -> None:
    """With its scheduler killed the published forecasts stay and a failed step is named, until the cluster is back."""
    pytest.importorskip("distributed", reason="needs requirements-cluster.txt")
    with running_cluster(2) as cluster:
        settings = _settings(tmp_path, cluster)
        readers, now = Readers(settings), now_ms() - 30 * MINUTE_MS
        _store(settings, now, 300)
        with Heartbeat(settings.run_dir, PIPELINE) as heartbeat, open_session(settings) as session:
            pipeline = Pipeline(session, heartbeat)
            assert pipeline.cycle(now) is True
            cluster.kill_scheduler()
            now += MINUTE_MS
            _store(settings, now, 1)
            assert pipeline.cycle(now) is False
            assert Step.FEATURES in read_health(settings.run_dir, PIPELINE).progress.failed_steps
            assert {view.origin_ms for view in readers.forecasts().values()} == {now - MINUTE_MS}
            cluster.stop()
            cluster.start()
            wait_until(lambda: pipeline.cycle(now), 400.0)
            assert {view.origin_ms for view in readers.forecasts().values()} == {now}
