"""The real process: it and its receiver killed at random instants, it tells all that is due, and nothing else."""

from __future__ import annotations

import base64
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from alerts.store import AlertStore, DeliveryState
from core.price_store import Price, open_writer
from core.processes.health_schema import ALERTS, ProcessState
from core.processes.heartbeat import read_health
from core.settings import PROJECT
from core.times import HOUR_MS
from tests.alerts.test_engine import rules_at_random
from tests.support.alert_oracle import Due, due
from tests.support.alert_receivers import MortalReceiver, verified
from tests.support.workspace import SampleWorkspace

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM that a process could obey")

PATIENCE_S: Final = 120.0
SECRET: Final = "whsec_" + base64.b64encode(bytes(range(32))).decode()
COINS: Final = ("bitcoin", "ethereum")
QUICK: Final = """
import sys
from alerts.delivery import back_off, http_post
back_off._FIRST_S, back_off._MAX_S, http_post.ANSWER_S = 0.05, 0.2, 1.0
from alerts.__main__ import main
sys.exit(main([]))
"""
"""The process with short pauses and little patience."""

TOLD: Final = ("0", "1", "2", "3")
"""Rules whose alerts are sent; those of the others are only recorded."""


@pytest.fixture
def sample(tmp_path: Path) -> SampleWorkspace:
    """A workspace with one price of each coin, four days old, so that many can follow; it is past for the rules."""
    made = SampleWorkspace.make(tmp_path / "data", alerts_file=tmp_path / "alerts.toml")
    made.now -= 96 * HOUR_MS
    with open_writer(made.workspace.database) as writer:
        writer.update_coins(made.coins)
        writer.track(COINS)
        writer.store(Price(coin, made.now, 100.0, fetched_ms=made.now) for coin in COINS)
    return made


@contextmanager
def started(sample: SampleWorkspace) -> Iterator[subprocess.Popen[str]]:
    """The alert process of a workspace, ended afterwards."""
    settings = {**sample.settings.environment(), "CRYPTO_SOURCE": "demo", "CRYPTO_ALERT_SECRET": SECRET}
    process = subprocess.Popen(
        [sys.executable, "-c", QUICK],
        cwd=PROJECT,
        env={**os.environ, **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def is_watching(sample: SampleWorkspace, pid: int) -> bool:
    """Whether the process says so in its health file."""
    health = read_health(sample.settings.run_dir, ALERTS)
    return health.pid == pid and health.state is ProcessState.WATCHING


def until(done: Callable[[], bool]) -> None:
    """Wait for a condition."""
    end = time.monotonic() + PATIENCE_S
    while not done():
        assert time.monotonic() < end, "nothing came of it"
        time.sleep(0.02)


def text_of(rules: list[dict[str, Any]], port: int) -> str:
    """The rules as alerts.toml, told to the receiver."""
    channel = f'[canais.meu]\ntipo="webhook"\nurl="http://127.0.0.1:{port}/x"\nsegredo_env="CRYPTO_ALERT_SECRET"\n'
    lines = [channel + "permitir_rede_interna=true\n"]
    for rule in rules:
        lines.append("[[regra]]")
        lines += [f"{name}={json.dumps(value)}" for name, value in rule.items()]
        lines += ['canais=["meu"]'] if rule["nome"] in TOLD else []
    return "\n".join(lines)


def stored(store: AlertStore) -> list[Due]:
    """Everything in the store, sight by sight."""
    return [
        Due(one.alert.name, sight.coin or "", one.alert.kind.value, sight.since_ms, sight.at_ms)
        for one in store.told(limit=100_000)
        for sight in one.alert.sights
    ]


def grow(sample: SampleWorkspace, ticks: dict[str, list[tuple[int, float]]], chance: random.Random, count: int) -> None:
    """Store some more prices of each coin, a batch at a time as a poll does."""
    with open_writer(sample.workspace.database) as writer:
        for _ in range(count):
            for coin, rows in ticks.items():
                at, price = rows[-1]
                row = (
                    at + chance.choice([30_000, 31_000, 60_000]),
                    min(104.0, max(96.0, price + chance.choice([-0.5, 0, 0.5]))),
                )
                rows.append(row)
                writer.store([Price(coin, *row, fetched_ms=row[0])])


def killed_again_and_again(sample: SampleWorkspace, kills: int, rules: int, ticks_each: int) -> None:
    """Store prices while process and receiver die and come back, then compare both with the oracle."""
    chance = random.Random(kills)
    tables = rules_at_random(chance, rules)
    for table in tables:
        table["moedas"] = "todas" if table["moedas"] == "todas" else ["bitcoin"]
    ticks = {coin: [(sample.now, 100.0)] for coin in COINS}
    receiver = MortalReceiver(chance)
    with AlertStore(sample.workspace.alerts) as store:
        sample.settings.alerts_file.write_text(text_of(tables, receiver.port), encoding="utf-8")
        with started(sample):
            until(lambda: len(store.cursors()) == len(ticks))
        for _ in range(kills):
            receiver.live(awkward=3)
            with started(sample) as process:
                time.sleep(chance.uniform(0.0, 0.5) if chance.random() < 0.2 else 0)
                for _ in range(4):
                    grow(sample, ticks, chance, ticks_each // 4)
                    time.sleep(chance.uniform(0.0, 0.6))
                if chance.random() < 0.5:
                    receiver.die()
                process.send_signal(signal.SIGKILL)
            receiver.die()
        receiver.live()
        with started(sample) as process:
            until(lambda: store.cursors() == {coin: rows[-1][0] for coin, rows in ticks.items()})
            until(lambda: store.counts()[DeliveryState.DUE] == 0)
            until(lambda: is_watching(sample, process.pid))
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE_S) == 0
        receiver.die()
        expected = due(tables, ticks, past=1)
        assert len(expected) > kills
        assert Counter(stored(store)) == Counter(expected)
        keys = {one.alert.key for one in store.told(limit=100_000) if one.alert.name in TOLD}
        assert {request.headers["webhook-id"] for request in receiver.taken} == keys
        assert store.counts()[DeliveryState.DEAD] == 0
        assert not any(f"{coin}: ".encode() in request.body for request in receiver.taken for coin in COINS)
        assert all(verified(request, SECRET) for request in receiver.taken)


def test_a_killed_process_tells_everything_once(sample: SampleWorkspace) -> None:
    """After three kills the store holds exactly what the oracle says, and the receiver has every key."""
    killed_again_and_again(sample, kills=3, rules=8, ticks_each=40)


@pytest.mark.faults
@pytest.mark.timeout(900)
@pytest.mark.skipif(os.environ.get("CRYPTO_FULL_FAULTS") != "1", reason="the default tests have it shortened")
def test_forty_kills_over_fifty_rules_and_ten_thousand_prices(sample: SampleWorkspace) -> None:
    """The same with forty kills."""
    killed_again_and_again(sample, kills=40, rules=50, ticks_each=10_000 // len(COINS) // 40)
