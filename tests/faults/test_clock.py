"""The wall clock of a running suite jumps by an hour, and its machine sleeps for six: nothing is lost or doubled."""

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

from core.processes.health_schema import PIPELINE
from core.processes.heartbeat import read_health
from core.settings import DEFAULT_COINS
from core.times import GRID_STEP_MS, HOUR_MS, now_ms
from etl.local_market.coin_names import coins_wanted
from etl.local_market.market import price_at
from etl.local_market.server import MarketServer
from etl.local_market.simulated import SimulatedMarket
from tests.support.integrity import Poller, Witness
from tests.support.running_suite import RunningSuite
from tests.support.shifted_clock import ShiftedClock

pytestmark = [
    pytest.mark.faults,
    pytest.mark.timeout(600),
    pytest.mark.skipif(sys.platform != "linux", reason="SIGSTOP"),
]

PATHS = ("/moedas", "/prever/bitcoin", "/metricas", "/previsoes/bitcoin", "/historico/bitcoin")
CALM_S = 45 if os.environ.get("CRYPTO_FULL_FAULTS") == "1" else 8
Tell = Callable[..., None]


@dataclass
class World:
    """A suite with a shifted clock, and a market with a clock of its own."""

    server: MarketServer
    run: RunningSuite
    witness: Witness
    clock: ShiftedClock
    market_shift_ms: int = 0

    def newest_ms(self) -> int:
        """Event time of the newest price on disk."""
        self.witness.look()
        return max(ts_ms for _, ts_ms in self.witness.prices)

    def cycles(self) -> int:
        """Number of cycles of the pipeline."""
        return read_health(self.run.run_dir, PIPELINE).counters.get("cycles", 0)

    def has_gone_on(self, since_ms: int, since_cycles: int) -> bool:
        """Whether newer prices and a later cycle exist."""
        return self.newest_ms() > since_ms and self.cycles() > since_cycles

    def pids(self) -> dict[str, int | None]:
        """Process ids of the children."""
        return {name: child.pid for name, child in self.run.children().items()}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A running suite that has published all forecasts."""
    market = SimulatedMarket(coins_wanted(",".join(DEFAULT_COINS)), 3)
    clock = ShiftedClock(tmp_path)
    with MarketServer(market) as server:
        run = RunningSuite(
            tmp_path,
            "--no-browser",
            CRYPTO_COINGECKO_URL=server.url,
            CRYPTO_COINGECKO_PLAN="local",
            **clock.variables,
        )
        witness = Witness(run.data_dir, tmp_path / "modelos", lambda coin, ts_ms: price_at(market, coin, ts_ms))
        made = World(server, run, witness, clock)
        server.clock = lambda: now_ms() + made.market_shift_ms
        try:
            run.wait(lambda: run.forecasts(DEFAULT_COINS))
            yield made
        finally:
            if run.process.poll() is None:
                run.end(signal.SIGTERM)


def test_clock_jumps_change_nothing_and_a_night_is_filled(world: World, tell: Tell) -> None:
    """An hour ahead, an hour behind, right again, then asleep for six hours: polls go on and the gap is filled."""
    run, pids, start_ms = world.run, world.pids(), now_ms()
    with Poller(run.api_port, PATHS) as poller:
        run.wait(lambda: poller.is_ready)
        for seconds in (3600, -3600, 0):
            world.clock.shift(seconds)
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
    """Stop all processes, let the clocks of machine and market go on, wake them; return the time of the stop."""
    family = world.run.family()
    for process in family:
        process.send_signal(signal.SIGSTOP)
    asleep_ms = now_ms()
    world.market_shift_ms = duration_ms
    world.clock.shift(duration_ms // 1000)
    time.sleep(2)
    for process in reversed(family):
        process.send_signal(signal.SIGCONT)
    return asleep_ms


def _gap(world: World, asleep_ms: int, awake_ms: int) -> list[int]:
    world.witness.look()
    return sorted(ts for coin, ts in world.witness.prices if coin == "bitcoin" and asleep_ms < ts < awake_ms)
