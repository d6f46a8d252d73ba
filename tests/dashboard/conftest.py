"""A data folder as collector and pipeline would leave it, and the dashboard looking at it."""

from __future__ import annotations

import math
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import requests
from streamlit.testing.v1 import AppTest

from core.accuracy.scores import SCORE_SCHEMA
from core.forecast_schema import FORECAST_SCHEMA, HORIZONS_MIN, INTERVALS, QUANTILE_COLUMNS
from core.price_store import Coin, Price, PriceWriter
from core.processes.health_schema import PROCESSES, ProcessState
from core.processes.heartbeat import Heartbeat
from core.publishing.publisher import Publisher
from core.settings import Settings, load_settings
from core.times import DAY_MS, HOUR_MS, MINUTE_MS, now_ms, to_datetime
from core.wording import Message
from core.workspace import Workspace, open_workspace, publish_source
from suite.ports import free_port

PROJECT = Path(__file__).resolve().parents[2]
COINS = (
    ("bitcoin", "btc", "Bitcoin", 67_187.33),
    ("ethereum", "eth", "Ethereum", 3_312.45),
    ("solana", "sol", "Solana", 148.21),
    ("ripple", "xrp", "XRP", 0.5123),
    ("cardano", "ada", "Cardano", 0.4417),
    ("dogecoin", "doge", "Dogecoin", 0.08123),
    ("shiba-inu", "shib", "Shiba Inu", 0.00002431),
    ("tether", "usdt", "Tether", 1.0002),
)
_NORMAL = (-1.96, -1.645, -1.2816, -0.6745, 0.0, 0.6745, 1.2816, 1.645, 1.96)
_SPREAD = 0.0006


class Market:
    """Writes what the pipeline would: prices, forecasts, their log, scores, health files."""

    def __init__(self, settings: Settings, notice: Message | None = None, days: float = 2.0, seed: int = 1) -> None:
        self.settings = settings
        self.workspace: Workspace = open_workspace(settings)
        publish_source(settings, self.workspace, notice)
        self._random = random.Random(seed)
        self._days = days
        self.now = now_ms()
        self.prices: dict[str, float] = {}
        self._writer = PriceWriter(self.workspace.database)
        self._publisher = Publisher(self.workspace.processed)
        self._beats = ExitStack()
        self.beats: dict[str, Heartbeat[Any]] = {}

    def close(self) -> None:
        """End health files and connections."""
        self._beats.close()
        self._writer.close()

    def beat(self, *names: str, **progress: Any) -> None:
        """Let these processes live."""
        for name in names:
            self.beats[name] = self._beats.enter_context(Heartbeat(self.settings.run_dir, PROCESSES[name]))
            self.beats[name].state(ProcessState.RUNNING, PROCESSES[name].progress(**progress))

    def collect(self, coins: tuple[tuple[str, str, str, float], ...] = COINS, age_ms: int = 5_000) -> None:
        """Store history up to `age_ms` ago: every five minutes, and every 30 s over the last three hours."""
        self._writer.update_coins(
            Coin(name, symbol, title, rank) for rank, (name, symbol, title, _) in enumerate(coins, 1)
        )
        self._writer.track(name for name, *_ in coins)
        end = self.now - age_ms
        times = [end - offset for offset in range(0, 3 * HOUR_MS, 30_000)]
        times += [end - offset for offset in range(3 * HOUR_MS, int(self._days * DAY_MS), 5 * MINUTE_MS)]
        for name, _, _, last in coins:
            price, rows = last, []
            for newer, ts_ms in zip([end, *times], times, strict=False):
                price *= math.exp(self._random.gauss(0, self._step(name) * math.sqrt((newer - ts_ms) / MINUTE_MS)))
                rows.append(Price(name, ts_ms, price, price * 1e6, price * 1e4, ts_ms))
            self.prices[name] = rows[0].price
            self._writer.store(rows)

    def tick(self) -> None:
        """One more price for every coin, now."""
        self.now = now_ms()
        rows = []
        for name in self.prices:
            self.prices[name] *= math.exp(self._random.gauss(0, self._step(name)))
            rows.append(Price(name, self.now, self.prices[name], None, None, self.now))
        self._writer.store(rows)

    def forecast(self, kind: str = "model") -> None:
        """Publish a forecast of every coin made now."""
        rows = [row for name in self.prices for row in self._rows(name, self.now, self.prices[name], kind)]
        table = pa.Table.from_pylist(rows, schema=FORECAST_SCHEMA)
        self._publisher.publish({"latest": table.replace_schema_metadata({"trained_ms": str(self.now - 9_000)})})

    def log(self, hours: int = 20) -> None:
        """Publish the log of past forecasts, one each five minutes for each coin."""
        start, rows = self.now - hours * HOUR_MS, []
        for name, price in self.prices.items():
            for origin in range(start, self.now, 5 * MINUTE_MS):
                here = price * math.exp(self._random.gauss(0, 4 * _SPREAD))
                rows += [row for row in self._rows(name, origin, here, "model") if row["horizon_min"] == 60]
        table = pa.Table.from_pylist(rows, schema=FORECAST_SCHEMA)
        self._publisher.publish(appended={"log": (start, self.now, table)})

    def score(self, name: str = "scores", hours: int = 60) -> None:
        """Publish scores, live ones as parts, a backtest as one table."""
        start = (self.now // HOUR_MS - hours) * HOUR_MS
        rows = [
            self._score(coin, start + hour * HOUR_MS, horizon)
            for coin in self.prices
            for hour in range(hours)
            for horizon in HORIZONS_MIN
        ]
        table = pa.Table.from_pylist(rows, schema=SCORE_SCHEMA)
        if name == "backtest":
            self._publisher.publish({"backtest": table})
        else:
            self._publisher.publish(appended={"scores": (start, self.now, table)})

    def damage_latest(self) -> None:
        """Spoil the published forecasts."""
        (self.workspace.processed / self._publisher.manifest.entries["latest"].file).write_bytes(b"PAR1 no more")

    def everything(self) -> Market:
        """A suite in full swing."""
        self.collect()
        self.forecast()
        self.log()
        self.score()
        self.score("backtest", 200)
        self.beat("suite", "api", "dashboard", "simulator")
        self.beat("collector", backfill_done=8, backfill_total=8, cadence_s=30.0, stale_after_s=90.0)
        self.beat("pipeline", cycle=7, cycle_seconds=0.8)
        return self

    @staticmethod
    def _step(name: str) -> float:
        return 0.00002 if name == "tether" else 0.0006

    def _rows(self, coin: str, origin: int, price: float, kind: str) -> list[dict[str, Any]]:
        rows = []
        for horizon in HORIZONS_MIN:
            spread = self._step(coin) * math.sqrt(horizon)
            quantiles = {
                column: price * math.exp(z * spread) for column, z in zip(QUANTILE_COLUMNS, _NORMAL, strict=True)
            }
            rows.append(
                {
                    "coin": coin, "origin": to_datetime(origin), "horizon_min": horizon, "price_origin": price,
                    "mean": price * (1 + 0.00002 * horizon), **quantiles, "p_up": 0.53, "kind": kind,
                    "model_version": "m-7", "created_at": to_datetime(origin + 1_000),
                    "source": self.workspace.source.value,
                }
            )  # fmt: skip
        return rows

    def _score(self, coin: str, hour: int, horizon: int) -> dict[str, Any]:
        """A cell of twelve forecasts that beat "the price stays" by a few percent."""
        naive = self._step(coin) * math.sqrt(horizon) * self._random.uniform(0.7, 1.3)
        n = 12.0
        inside = {
            f"inside_{percent}": n * min(1, percent / 100 + self._random.uniform(-0.06, 0.05)) for percent in INTERVALS
        }
        return {
            "coin": coin, "hour": to_datetime(hour), "horizon_min": horizon, "n": n,
            "pinball": 0.25 * n * naive * self._random.uniform(0.92, 1.01), "pinball_naive": 0.25 * n * naive,
            "abs_error": n * naive * self._random.uniform(0.985, 1.005), "abs_error_naive": n * naive, **inside,
            "width_80": 2.4 * n * naive, "winkler_80": 3.0 * n * naive, "winkler_80_naive": 3.2 * n * naive,
            "brier": 0.2495 * n, "moved": n, "hits": n * self._random.uniform(0.45, 0.58), "rises": n / 2, "forest": n,
        }  # fmt: skip


class Server:
    """The real server, started as a person would, from a folder that is not the project's."""

    def __init__(self, settings: Settings, folder: Path, port: int | None = None) -> None:
        self.port = port or free_port(set())
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "dashboard.log"
        environment = {**os.environ, **settings.environment(), "CRYPTO_SOURCE": "auto"}
        script = str(PROJECT / "dashboard" / "app.py")
        argv = [sys.executable, "-m", "streamlit", "run", script, "--server.port", str(self.port)]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(argv, cwd=folder, env=environment, stdout=log, stderr=log)
        self._wait()

    def close(self) -> int:
        """Ask it to stop; its exit code."""
        self.process.terminate()
        try:
            return self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise

    def _wait(self) -> None:
        for _ in range(300):
            if self.process.poll() is not None:
                break
            try:
                if requests.get(f"{self.url}/_stcore/health", timeout=1).ok:
                    return
            except (requests.ConnectionError, requests.Timeout):
                time.sleep(0.1)
        self.close()
        raise AssertionError(f"the dashboard does not answer:\n{self.log.read_text()}")


@pytest.fixture
def make_market(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Market]]:
    """Builds a market in an own folder and points the dashboard's settings at it."""
    markets: list[Market] = []

    def make(source: str = "demo", notice: Message | None = None, **options: Any) -> Market:
        variables = {"source": source, "data_dir": str(tmp_path / "data"), "models_dir": str(tmp_path / "models")}
        variables |= {name: str(options.pop(name)) for name in ("api_token", "currency") if name in options}
        for name, value in variables.items():
            monkeypatch.setenv(f"CRYPTO_{name.upper()}", value)
        markets.append(Market(load_settings(), notice, **options))
        monkeypatch.setenv("CRYPTO_SOURCE", "auto")
        return markets[-1]

    yield make
    for market in markets:
        market.close()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Starts the real server on the settings given."""
    servers: list[Server] = []

    def start(settings: Settings, port: int | None = None) -> Server:
        servers.append(Server(settings, tmp_path, port))
        return servers[-1]

    yield start
    for server in servers:
        if server.process.poll() is None:
            server.close()


@pytest.fixture
def open_page() -> Callable[..., AppTest]:
    """Runs the page as Streamlit would for a visitor with this address and browser."""

    def open_(timezone: str = "America/Sao_Paulo", **address: str) -> AppTest:
        page = AppTest.from_file(str(PROJECT / "dashboard" / "page_script.py"), default_timeout=30)
        page.context = {"timezone": timezone, "locale": "pt-BR", "theme": "light"}
        for name, value in address.items():
            page.query_params[name] = value
        return page.run()

    return open_


@pytest.fixture
def read() -> Callable[[AppTest], str]:
    """Reads all words of a page, without the marks that Markdown needs."""

    def words(page: AppTest) -> str:
        parts = (page.html, page.markdown, page.info, page.warning, page.error, page.caption, page.success)
        return "\n".join(str(element.value) for elements in parts for element in elements).replace("\\", "")

    return words
