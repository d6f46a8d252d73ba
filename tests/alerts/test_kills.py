"""Kills of `python -m alerts` and of its receiver: what is due arrives, nothing twice under two keys, nothing else."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

import pytest

from alerts.store import AlertStore, DeliveryState
from core.price_store import Price, PriceWriter
from core.settings import PROJECT
from core.times import MINUTE_MS, now_ms
from tests.support.alert_receivers import HttpReceiver, Request, hang, reset, status, taken, verified
from tests.support.ports import reserve_port
from tests.support.workspace import SampleWorkspace

pytestmark = [
    pytest.mark.faults,
    pytest.mark.timeout(1500),
    pytest.mark.skipif(os.name == "nt", reason="receivers come back on their ports at once, as on POSIX"),
]

KILLS = 40 if os.environ.get("CRYPTO_FULL_FAULTS") == "1" else 6
PATIENCE_S = 300.0
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
LEVELS = {"bitcoin": 70_000.0, "ethereum": 3_500.0, "dogecoin": 0.1}
MOODS = (taken, taken, status(500), status(429, retry_after="0"), reset, hang)
RULES = """
[canais.gancho]
tipo = "webhook"
url_env = "RECEIVER"
segredo_env = "SECRET"
permitir_rede_interna = true
"""
RULE = """
[[regra]]
nome = "{coin}"
condicao = "preco_acima"
moedas = ["{coin}"]
nivel = {level}
folga = 0
espera = "0s"
avisar_normal = true
canais = ["gancho"]
"""
QUICK = """
import sys
from alerts.delivery import back_off, http_post
back_off._FIRST_S, back_off._MAX_S, http_post.ANSWER_S = 0.05, 0.2, 1.0
from alerts.__main__ import main
sys.exit(main([]))
"""
Told = tuple[str, str, float]
"""Coin, kind and price of an alert."""


@contextmanager
def process(sample: SampleWorkspace, port: int) -> Iterator[None]:
    """The alert process with short pauses; it is killed at the end of the block, wherever it is."""
    secrets = {"RECEIVER": f"http://127.0.0.1:{port}/", "SECRET": SECRET}
    variables = {**os.environ, **sample.settings.environment(), **secrets}
    with subprocess.Popen(
        [sys.executable, "-c", QUICK], cwd=PROJECT, env=variables, stdout=subprocess.DEVNULL
    ) as running:
        try:
            yield
        finally:
            running.kill()


def eventually(condition: Callable[[], bool]) -> None:
    """Wait until the condition holds."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


class Market:
    """Prices that dance around the levels of the rules, and what has to be told of them, worked out one by one."""

    def __init__(self, sample: SampleWorkspace, chance: random.Random) -> None:
        self._sample = sample
        self._chance = chance
        self._is_above = {coin: sample.prices[coin] > level for coin, level in LEVELS.items()}
        self.due: list[Told] = []
        self.newest: dict[str, int] = {}

    def tick(self, writer: PriceWriter) -> None:
        """Store a price of each coin, most of the time on the side where it was."""
        self._sample.now += 50
        for coin, level in LEVELS.items():
            above = self._is_above[coin] ^ (self._chance.random() < 0.03)
            price = level * (1 + self._chance.uniform(1e-6, 0.01) * (1 if above else -1))
            writer.store([Price(coin, self._sample.now, price, fetched_ms=now_ms())])
            if above != self._is_above[coin]:
                self.due.append((coin, "alert.fired" if above else "alert.normal", price))
            self._is_above[coin], self.newest[coin] = above, self._sample.now


def told(request: Request) -> list[Told]:
    """What a request tells; several things where they happened between two looks."""
    body = json.loads(request.body)
    return [(sight["coin"], body["type"], sight["figures"]["price"]) for sight in body["data"]["sights"]]


def test_what_is_due_arrives_through_kills(tmp_path: Path) -> None:
    """The alerts that arrive are those that a slow reckoning of each price finds, each under one key."""
    chance, port = random.Random(KILLS), reserve_port()
    sample = SampleWorkspace.make(tmp_path / "data", alerts_file=tmp_path / "alerts.toml")
    sample.now -= 10 * MINUTE_MS
    sample.fill()
    rules = RULES + "".join(RULE.format(coin=coin, level=level) for coin, level in LEVELS.items())
    sample.settings.alerts_file.write_text(rules, encoding="utf-8")
    market = Market(sample, chance)
    received: list[Request] = []
    with AlertStore(sample.workspace.alerts) as store, PriceWriter(sample.workspace.database) as writer:
        with process(sample, port):
            eventually(lambda: len(store.episodes()) == len(LEVELS))
        for _ in range(KILLS):
            receiver = HttpReceiver(port)
            receiver.moods = [*(chance.choice(MOODS) for _ in range(4)), taken]
            with process(sample, port):
                for _ in range(10):
                    for _ in range(chance.randrange(1, 50)):
                        market.tick(writer)
                    time.sleep(chance.uniform(0, 0.3))
            receiver.close()
            received += receiver.taken
        receiver = HttpReceiver(port)
        with process(sample, port):
            eventually(lambda: market.newest.items() <= store.cursors().items())
            eventually(lambda: store.counts()[DeliveryState.DUE] == 0)
        receiver.close()
        received += receiver.taken
        assert store.counts()[DeliveryState.DEAD] == 0
    sample.close()
    assert all(verified(request, SECRET) for request in received)
    by_key = {request.headers["webhook-id"]: told(request) for request in received}
    assert sorted(chain(*by_key.values())) == sorted(market.due)
    print(f"{len(market.due)} events, {len(by_key)} alerts, {len(received) - len(by_key)} repetitions, {KILLS} kills")  # noqa: T201 - figures
