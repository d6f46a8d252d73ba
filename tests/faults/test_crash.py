"""SIGKILL at random instants: no stored value is lost, changed, doubled or unreadable, and readers never fail."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from core.processes.health_schema import PIPELINE
from core.processes.heartbeat import read_health
from core.settings import DEFAULT_COINS, PROJECT
from etl.local_market.coin_names import coins_wanted
from etl.local_market.market import price_at
from etl.local_market.simulated import SimulatedMarket
from tests.support.integrity import Poller, Witness
from tests.support.ports import reserve_port
from tests.support.running_suite import RunningSuite

pytestmark = [
    pytest.mark.faults,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(os.name == "nt", reason="signals of POSIX"),
]

FULL = os.environ.get("CRYPTO_FULL_FAULTS") == "1"
DENSE_KILLS = 160 if FULL else 14
SUITE_KILLS = 40 if FULL else 6
PATHS = ("/status", "/moedas", "/prever/bitcoin", "/metricas", "/previsoes/bitcoin", "/historico/bitcoin")
LOOP = PROJECT / "tests" / "faults" / "tight_loop.py"
COINS = "bitcoin,ethereum,dogecoin"
Tell = Callable[..., None]


@dataclass
class Writers:
    """The two writers and the API as processes that the test kills and restarts."""

    folder: Path
    port: int
    witness: Witness
    running: dict[str, subprocess.Popen[str]] = field(default_factory=dict)

    def start(self, name: str) -> None:
        """Start one process; the writer of prices prints the prices that it has stored."""
        server = (
            "-m",
            "uvicorn",
            "api.main:app",
            "--port",
            str(self.port),
            "--log-level",
            "warning",
            "--no-access-log",
        )
        arguments = server if name == "api" else (str(LOOP), name)
        variables = {name: text for name, text in os.environ.items() if not name.startswith("CRYPTO_")}
        variables |= {
            "CRYPTO_SOURCE": "demo",
            "CRYPTO_COINS": COINS,
            "CRYPTO_DATA_DIR": str(self.folder / "data"),
            "CRYPTO_MODELS_DIR": str(self.folder / "models"),
            "CRYPTO_LOG_LEVEL": "WARNING",
            "PYTHONPATH": str(PROJECT),
            "OMP_NUM_THREADS": "1",
        }
        process = self.running[name] = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=PROJECT,
            env=variables,
            stdout=subprocess.PIPE if name == "prices" else subprocess.DEVNULL,
            text=True,
        )
        if name == "prices":
            threading.Thread(target=self._listen, args=(process,), daemon=True).start()

    def kill(self, name: str) -> None:
        """Kill it with SIGKILL."""
        process = self.running.pop(name)
        process.send_signal(signal.SIGKILL)
        assert process.wait(timeout=10) == -signal.SIGKILL, f"{name} had ended by itself"

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        with process.stdout as lines:
            for line in lines:
                if line.endswith("\n"):
                    keys = (word.split(":") for word in line.split())
                    self.witness.promised |= {(coin, int(ts_ms)) for coin, ts_ms in keys}


@pytest.fixture
def writers(tmp_path: Path) -> Iterator[Writers]:
    """No process runs yet; processes end with the test."""
    market = SimulatedMarket(coins_wanted(COINS), 0)
    witness = Witness(
        tmp_path / "data" / "demo", tmp_path / "models" / "demo", lambda coin, ts_ms: price_at(market, coin, ts_ms)
    )
    made = Writers(tmp_path, reserve_port(), witness)
    yield made
    for name in tuple(made.running):
        made.kill(name)


def test_writers_killed_at_full_speed_lose_nothing(writers: Writers, tell: Tell) -> None:
    """Dozens of commits and publications a second survive kills of the writers, of the API, and of all at once."""
    dice, witness = random.Random(0), writers.witness
    names = ("prices", "forecasts", "api")
    for name in names:
        writers.start(name)
    kills = survived = 0
    with Poller(writers.port, PATHS) as poller:
        _wait(lambda: poller.is_ready, 60)
        while kills < DENSE_KILLS:
            time.sleep(dice.uniform(0.0, 3.0))
            victims = dice.choice([("prices",), ("forecasts",), ("forecasts",), ("api",), ("prices", "forecasts")])
            for name in victims:
                writers.kill(name)
            kills += len(victims)
            witness.look()
            survived += 0 if witness.problems else len(victims)
            for name in victims:
                writers.start(name)
        logged, answered = len(witness.log), sum(poller.statuses.values())
        _wait(lambda: _grown(witness, logged), 30)
        _wait(lambda: sum(poller.statuses.values()) > answered + 2 * len(PATHS), 30)
    tell("kills of writers at full speed", kills, survived, witness.lost, witness.wrong)
    assert witness.problems == []
    assert poller.failures == []
    assert len(witness.log) > 36
    assert not list((writers.folder / "data" / "demo").glob("*.damaged-*"))


def test_killed_processes_of_a_suite_lose_nothing(runs: Callable[..., RunningSuite], tell: Tell) -> None:
    """Every process of a running suite is killed in turn at random instants; the supervisor restarts it."""
    run = runs("--demo")
    market = SimulatedMarket(coins_wanted(",".join(DEFAULT_COINS)), 0)
    models = run.data_dir.parent / "modelos" / "demo"
    witness = Witness(run.data_dir / "demo", models, lambda coin, ts_ms: price_at(market, coin, ts_ms))
    run.wait(lambda: run.forecasts(DEFAULT_COINS))
    dice, survived = random.Random(1), 0
    with Poller(run.api_port, PATHS[:3]) as poller:
        run.wait(lambda: poller.is_ready)
        for count in range(SUITE_KILLS):
            name = ("collector", "pipeline", "api", "dashboard", "simulator")[count % 5]
            time.sleep(dice.uniform(0, 2))
            run.kill_child(name)
            witness.look()
            survived += not witness.problems
        for name in ("collector", "pipeline", "api", "dashboard", "simulator"):
            run.wait(partial(run.beats, name), 60)
        cycles = read_health(run.run_dir, PIPELINE).counters.get("cycles", 0)
        run.wait(lambda: read_health(run.run_dir, PIPELINE).counters.get("cycles", 0) > cycles, 60)
        witness.look()
    tell("kills in a running suite", SUITE_KILLS, survived, witness.lost, witness.wrong)
    assert witness.problems == []
    assert poller.failures == []
    assert run.end(signal.SIGTERM) == 0


def _grown(witness: Witness, logged: int) -> bool:
    witness.look()
    return len(witness.log) > logged


def _wait(condition: Callable[[], object], patience_s: float) -> None:
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.1)
