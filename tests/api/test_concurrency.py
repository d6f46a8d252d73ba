"""Requests succeed while collector and pipeline write."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable

from fastapi.testclient import TestClient

from core.price_store import Price
from core.price_store.sqlite.writer import SqliteWriter
from core.publishing.parquet import sorted_by
from tests.support.workspace import SampleWorkspace

ClientFactory = Callable[..., TestClient]
ADDRESSES = (
    "/status",
    "/moedas",
    "/prever/btc",
    "/probabilidade/eth?nivel=3000",
    "/risco?carteira=btc:1,eth:2",
    "/previsoes/eth",
    "/historico/doge",
    "/historico/btc?formato=csv",
    "/metricas",
    "/metricas/btc",
)


def test_eight_readers_beside_two_writers(sample: SampleWorkspace, make_client: ClientFactory) -> None:
    """Every answer is 200 with a whole body while prices are stored and tables republished."""
    sample.fill()
    client = make_client(sample.settings)
    statuses: Counter[tuple[str, int]] = Counter()
    done = threading.Event()

    def read(address: str) -> None:
        while not done.is_set():
            answer = client.get(address)
            assert answer.content
            statuses[address, answer.status_code] += 1

    readers = [threading.Thread(target=read, args=(address,)) for address in ADDRESSES]
    for reader in readers:
        reader.start()
    with SqliteWriter(sample.workspace.database) as writer:
        for step in range(1, 13):
            now = sample.now + step * 100
            writer.store([Price(coin.id, now, sample.price(coin, now)) for coin in sample.coins])
            sample.publish_forecasts(now)
            sample.publish_scores(2)
            sample.publish_backtest(2)
            sample.publisher.compact("log", sample.now + 10**8, sorted_by("coin", "origin"))
            writer.checkpoint()
    done.set()
    for reader in readers:
        reader.join()
    assert {status for _, status in statuses} == {200}
    assert {address for address, _ in statuses} == set(ADDRESSES)
