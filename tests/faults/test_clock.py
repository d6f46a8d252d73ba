"""The wall clock of a running suite jumps by an hour, and its machine sleeps for six: nothing doubles, drops or lies.

Every process is given the operating system's clock with an offset: Python runs sitecustomize.py before anything else.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from core.processes.heartbeat import read_health
from core.settings import DEFAULT_COINS
from core.times import GRID_STEP_MS, HOUR_MS, now_ms
from etl.local_market.coin_names import coins_wanted
from etl.local_market.market import price_at
from etl.local_market.server import MarketServer
from etl.local_market.simulated import SimulatedMarket
from tests.support.integrity import Poller, Witness
from tests.support.running_suite import RunningSuite

pytestmark = [
    pytest.mark.faults,
    pytest.mark.timeout(600),
    pytest.mark.skipif(sys.platform != "linux", reason="SIGSTOP"),
]

SHIFTED_CLOCK = """
import os, time
real_ns = time.time_ns
def shifted_ns():
    with open(os.environ["CLOCK_OFFSET_FILE"]) as file:
        return real_ns() + int(file.read()) * 10**9
time.time_ns = shifted_ns
time.time = lambda: shifted_ns() / 1e9
"""
PATHS = ("/moedas", "/prever/bitcoin", "/metricas", "/previsoes/bitcoin", "/historico/bitcoin")
CALM_S = 45 if os.environ.get("CRYPTO_FULL_FAULTS") == "1" else 8
Tell = Callable[..., None]


@dataclass
class World:
    """A suite whose clock can be shifted, and a market that keeps its own time."""

    server: MarketServer
    run: RunningSuite
    witness: Witness
    offset: Path
    market_shift_ms: int = 0

    def shift_clock(self, seconds: int) -> None:
        """Let every process of the suite see another wall clock from now on; monotonic time goes on as it did."""
        new = self.offset.with_suffix(".new")
        new.write_text(str(seconds))
        new.replace(self.offset)

    def newest_ms(self) -> int:
        """Event time of the newest price on disk."""
        self.witness.look()
        return max(ts_ms for _, ts_ms in self.witness.prices)

    def cycles(self) -> int:
        """How many cycles the pipeline has made."""
        return read_health(self.run.run_dir, "pipeline").counters.get("cycles", 0)

    def has_gone_on(self, since_ms: int, since_cycles: int) -> bool:
        """Whether there are newer prices and a later cycle."""
        return self.newest_ms() > since_ms and self.cycles() > since_cycles

    def pids(self) -> dict[str, int]:
        """The processes now."""
        return {name: child["pid"] for name, child in self.run.children().items()}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """All forecasts are there."""
    market = SimulatedMarket(coins_wanted(",".join(DEFAULT_COINS)), 3)
    offset = tmp_path / "offset"
    offset.write_text("0")
    (tmp_path / "sitecustomize.py").write_text(SHIFTED_CLOCK)
    with MarketServer(market) as server:
        run = RunningSuite(
            tmp_path,
            "--no-browser",
            CRYPTO_COINGECKO_URL=server.url,
            CRYPTO_COINGECKO_PLAN="local",
            PYTHONPATH=str(tmp_path),
            CLOCK_OFFSET_FILE=str(offset),
        )
        witness = Witness(run.data_dir, tmp_path / "modelos", lambda coin, ts_ms: price_at(market, coin, ts_ms))
        made = World(server, run, witness, offset)
        server.clock = lambda: now_ms() + made.market_shift_ms
        try:
            run.wait(lambda: run.forecasts(DEFAULT_COINS))
            yield made
        finally:
            if run.process.poll() is None:
                run.end(signal.SIGTERM)


def test_a_jump_of_an_hour_changes_nothing_and_a_night_is_repaired(world: World, tell: Tell) -> None:
    """Ahead, back behind and right again; then everything stands still for six hours of the market and goes on."""
    run, pids, start_ms = world.run, world.pids(), now_ms()
    with Poller(run.api_port, PATHS) as poller:
        run.wait(lambda: poller.is_ready)
        for seconds in (3600, -3600, 0):
            world.shift_clock(seconds)
            time.sleep(CALM_S)
            run.wait(partial(world.has_gone_on, now_ms(), world.cycles()), 30)
        polled = sorted(ts_ms for coin, ts_ms in world.witness.prices if coin == "bitcoin" and ts_ms > start_ms)
        assert max(later - earlier for earlier, later in itertools.pairwise(polled)) <= 15_000
        assert world.pids() == pids
        assert poller.failures == []
    asleep_ms = _sleep(world, 6 * HOUR_MS)
    awake_ms = asleep_ms + 6 * HOUR_MS
    run.wait(lambda: world.newest_ms() > awake_ms, 60)
    run.wait(lambda: len(_gap(world, asleep_ms, awake_ms)) >= 6 * 12 - 2, 60)
    run.wait(lambda: run.forecasts(DEFAULT_COINS))
    gap = [asleep_ms, *_gap(world, asleep_ms, awake_ms), awake_ms]
    assert max(later - earlier for earlier, later in itertools.pairwise(gap)) <= 2 * GRID_STEP_MS
    world.witness.look()
    slots = [(coin, origin // GRID_STEP_MS, horizon) for coin, origin, horizon in world.witness.log]
    assert len(slots) == len(set(slots))
    assert world.witness.problems == []
    assert run.end(signal.SIGTERM) == 0
    tell("clock ±1 h, and a sleep of 6 h", 4, 4, world.witness.lost, world.witness.wrong)


def _sleep(world: World, duration_ms: int) -> int:
    """Stop all processes, let the clocks of machine and market go on, wake them; returns when they fell asleep."""
    family = world.run.family()
    for process in family:
        process.send_signal(signal.SIGSTOP)
    asleep_ms = now_ms()
    world.market_shift_ms = duration_ms
    world.shift_clock(duration_ms // 1000)
    time.sleep(2)
    for process in reversed(family):
        process.send_signal(signal.SIGCONT)
    return asleep_ms


def _gap(world: World, asleep_ms: int, awake_ms: int) -> list[int]:
    world.witness.look()
    return sorted(ts for coin, ts in world.witness.prices if coin == "bitcoin" and asleep_ms < ts < awake_ms)
