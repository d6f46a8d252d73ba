"""What the collector's tests share: a server that sends any bytes, settings for a folder of one's own."""

from __future__ import annotations

import random
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from core.price_store import PriceWriter, open_reader, open_writer
from core.price_store.sqlite.writer import SqliteWriter
from core.settings import Settings, load_settings
from core.store_address import ServerAddress
from core.times import HOUR_MS, now_ms
from core.workspace import open_workspace
from etl.coingecko.client import CoinGecko
from etl.collector.call_budget import Clock
from etl.collector.collector import Collector
from etl.local_market.coin_names import coins_wanted
from etl.local_market.simulated import SimulatedMarket
from tests.support.faulty_market import FaultyMarketServer

Script = bytes | Callable[[socket.socket], None]


class RawServer:
    """Answers each request on `url` with the next entry of `script` (the last one again and again), then hangs up.

    An entry is bytes, or a function that is given the connection. `requests` holds what was asked, head only.
    """

    def __init__(self) -> None:
        self.script: list[Script] = []
        self.requests: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def url(self) -> str:
        """Base URL of the API that this server plays."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}/api/v3"

    def close(self) -> None:
        """Free the port and end what is still open."""
        self._listener.close()
        for connection in self._open:
            connection.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(connection)
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        try:
            head = b""
            while b"\r\n\r\n" not in head:
                part = connection.recv(65536)
                if not part:
                    return
                head += part
            self.requests.append(head.decode("latin-1"))
            entry = self.script.pop(0) if len(self.script) > 1 else self.script[0]
            if callable(entry):
                entry(connection)
            else:
                connection.sendall(entry)
        except OSError:
            return  # the client has gone, as some tests want it to
        finally:
            connection.close()


@pytest.fixture
def raw_server() -> Iterator[RawServer]:
    """A server for one test."""
    server = RawServer()
    yield server
    server.close()


class World:
    """A market server and a collector on one clock that is moved by hand; it begins twelve hours ago."""

    def __init__(self, settings: Callable[..., Settings], **options: Any) -> None:
        self._settings = settings
        self._given: dict[str, Any] = {"interval": 5}
        self.seconds = 5_000.0
        self.wall_ms = now_ms() - 12 * HOUR_MS
        coins = coins_wanted(options.pop("market", "bitcoin,ethereum,dogecoin"))
        self.server = FaultyMarketServer(SimulatedMarket(coins, 0), clock=lambda: self.wall_ms, **options).start()
        self.collector: Collector | None = None
        self.writer: PriceWriter | None = None
        self._parts = ExitStack()

    def settings(self) -> Settings:
        """The settings in force; `url` names another server than the market's."""
        return self._settings(**{"url": self.server.url, **self._given})

    def start(self, max_checked_bytes: int = 10**9, store: ServerAddress | None = None, **settings: Any) -> Collector:
        """Start a collector of this server in place of the one before; settings given once stay.

        It stores into its folder, or into `store`.
        """
        self.stop()
        self._given |= settings
        chosen = self.settings()
        clock = Clock(lambda: self.seconds, lambda: self.wall_ms)
        api = CoinGecko(chosen, clock.wall_ms)
        self._parts.callback(api.close)
        database = open_workspace(chosen).database
        writer = open_writer(store) if store else SqliteWriter(database, max_checked_bytes=max_checked_bytes)
        self.writer = self._parts.enter_context(writer)
        self.collector = Collector(chosen, self.writer, api, clock, random.Random(1))
        return self.collector

    def stop(self) -> None:
        """End the collector, as a process ends."""
        self._parts.close()
        self.collector = self.writer = None

    def move(self, seconds: float) -> None:
        """Let time pass while nobody does anything."""
        self.seconds += seconds
        self.wall_ms += round(seconds * 1000)

    def run(self, seconds: float) -> None:
        """Let the collector work for so long."""
        assert self.collector is not None
        end = self.seconds + seconds
        while self.seconds < end:
            self.move(min(max(self.collector.turn(), 0.02), 1.0, end - self.seconds + 0.001))

    @property
    def database(self) -> Path:
        """The collector's price store."""
        return open_workspace(self.settings()).database

    def stored(self, coin_id: str) -> dict[int, float]:
        """Event time → price of one coin, as a reader sees them."""
        with open_reader(self.database) as reader:
            return dict(reader.range(coin_id))

    def asked(self, path: str) -> list[int]:
        """When requests for `path` came, in milliseconds."""
        return [request.time_ms for request in self.server.requests if path in request.path]


@pytest.fixture
def make_world(collector_settings: Callable[..., Settings]) -> Iterator[Callable[..., World]]:
    """Makes worlds and ends them; the options are those of FaultyMarketServer, and `market`, the coins it knows."""
    worlds: list[World] = []

    def make(**options: Any) -> World:
        worlds.append(World(collector_settings, **options))
        return worlds[-1]

    yield make
    for world in worlds:
        world.stop()
        world.server.stop()


@pytest.fixture
def collector_settings(tmp_path: Path) -> Callable[..., Settings]:
    """Makes settings for a folder of the test's own."""

    def make(url: str, **overrides: Any) -> Settings:
        given = {"source": "coingecko", "coingecko_plan": "local", "data_dir": str(tmp_path / "data"), **overrides}
        return load_settings(coingecko_url=url, models_dir=str(tmp_path / "models"), **given)

    return make
