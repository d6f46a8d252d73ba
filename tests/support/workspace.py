"""A workspace as collector and pipeline would leave it, filled in a second, for tests and benchmarks."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from core.accuracy.scores import SCORE_SCHEMA, SCORE_SUMS
from core.forecast_schema import (
    FORECAST_SCHEMA,
    HORIZONS_MIN,
    KIND_BASELINE,
    QUANTILE_COLUMNS,
    REACH_COLUMNS,
    SCALED_HOURS_SCHEMA,
    SCALED_MOVE_COLUMNS,
)
from core.price_store import Coin, Price, open_writer
from core.processes.health_schema import PROCESSES, ProcessState
from core.processes.heartbeat import Heartbeat
from core.publishing.publisher import Publisher
from core.settings import Settings, Source
from core.times import GRID_STEP_MS, HOUR_MS, MINUTE_MS, now_ms, to_datetime
from core.wording import Message
from core.workspace import Workspace, open_workspace, publish_source

__all__ = ["COINS", "MORE_COINS", "SampleWorkspace", "forecast_rows", "score_rows"]

COINS: Final = (
    Coin("bitcoin", "btc", "Bitcoin", 1, 1),
    Coin("ethereum", "eth", "Ethereum", 2, 1),
    Coin("dogecoin", "doge", "Dogecoin", 8, 1),
)
MORE_COINS: Final = (*COINS, Coin("solana", "sol", "Solana", 9, 1), Coin("shiba-inu", "shib", "Shiba Inu", 20, 1))
_LEVELS: Final = {
    "bitcoin": 67_187.33,
    "ethereum": 3_312.45,
    "dogecoin": 0.08123,
    "solana": 148.21,
    "shiba-inu": 0.00002431,
}
_NORMAL: Final = (-1.96, -1.645, -1.2816, -0.6745, 0.0, 0.6745, 1.2816, 1.645, 1.96)
_HALF_NORMAL: Final = (0.1257, 0.3186, 0.6745, 1.1503, 1.6449, 1.96, 2.2414)
_VOLATILITY: Final = 0.004
_HALF_HOUR_MS: Final = HOUR_MS // 2


class SampleWorkspace:
    """Writes prices, forecasts, log, scores and health files into the workspace of `settings`.

    Attributes:
        now: Time of the newest price, in UTC milliseconds; change it before filling to make data old.
        prices: Newest price of each coin by its id; `tick` moves and stores them.
        heartbeats: Health files of the processes that `beat` started.
    """

    def __init__(self, settings: Settings, coins: Sequence[Coin] = COINS, notice: Message | None = None) -> None:
        self.settings = settings
        self.coins = tuple(coins)
        self.workspace: Workspace = open_workspace(settings)
        publish_source(settings, self.workspace, notice)
        self.now = self._start = now_ms() // 1000 * 1000
        self.prices = {coin.id: self.price(coin, self.now) for coin in self.coins}
        self.heartbeats: dict[str, Heartbeat[Any]] = {}
        self._exits = ExitStack()

    @classmethod
    def make(
        cls, data_dir: Path, coins: Sequence[Coin] = COINS, source: Source = Source.DEMO, **settings: Any
    ) -> SampleWorkspace:
        """An empty workspace below `data_dir`, chosen as the supervisor would choose it."""
        values: dict[str, Any] = {"data_dir": data_dir, "models_dir": data_dir / "models", "source": source, **settings}
        return cls(Settings(**values), coins)

    @classmethod
    def settled(cls, data_dir: Path) -> SampleWorkspace:
        """A filled workspace whose newest prices are ten minutes old, so that later ones can follow."""
        made = cls.make(data_dir)
        made.now -= 10 * MINUTE_MS
        return made.fill()

    @cached_property
    def publisher(self) -> Publisher:
        """The one publisher of the processed data."""
        return Publisher(self.workspace.processed)

    def close(self) -> None:
        """End the heartbeats."""
        self._exits.close()

    def price(self, coin: Coin, ts_ms: int) -> float:
        """A smooth price around the coin's level, which it has when the workspace is made."""
        hours, minutes = (ts_ms - self._start) / HOUR_MS, (ts_ms - self._start) / MINUTE_MS
        return _LEVELS.get(coin.id, 1.0) * (1 + 0.01 * math.sin(hours) + 0.001 * math.sin(minutes))

    def fill_prices(self, hours: float = 26, step_ms: int = MINUTE_MS) -> None:
        """Store the coins and their prices of the last `hours`."""
        start = self.now - round(hours * HOUR_MS)
        with open_writer(self.workspace.database) as writer:
            writer.update_coins(self.coins)
            writer.track(coin.id for coin in self.coins)
            for coin in self.coins:
                times = range(self.now, start, -step_ms)
                writer.store(Price(coin.id, ts, self.price(coin, ts), 1e9, 1e6, ts + 900) for ts in times)
        self.prices = {coin.id: self.price(coin, self.now) for coin in self.coins}

    def leave(self, *coins: str) -> None:
        """Follow these coins no more."""
        with open_writer(self.workspace.database) as writer:
            writer.track(coin.id for coin in self.coins if coin.id not in coins)

    def tick(self, **moves: float) -> None:
        """Store one more price of every coin at the present time, moved by a factor (default: 1.0001)."""
        self.now = now_ms()
        self.prices = {coin: price * moves.get(coin, 1.0001) for coin, price in self.prices.items()}
        with open_writer(self.workspace.database) as writer:
            writer.store(Price(coin, self.now, price, fetched_ms=self.now + 900) for coin, price in self.prices.items())

    def publish_forecasts(self, origin_ms: int | None = None, kind: str = KIND_BASELINE) -> None:
        """Publish the latest forecast of every coin, made at `origin_ms` (default: at the newest price)."""
        origin = self.now if origin_ms is None else origin_ms
        table = pa.Table.from_pylist(self._forecasts(origin, kind), FORECAST_SCHEMA)
        self.publisher.publish({"latest": table.replace_schema_metadata({"trained_ms": str(origin - 5000)})})

    def publish_log(self, hours: float = 1, kind: str = KIND_BASELINE) -> None:
        """Publish one logged forecast per coin and 5 minutes, one part per slot, the newest at `now`."""
        oldest = self.now - round(hours * HOUR_MS)
        for origin in range(self.now - (self.now - oldest) // GRID_STEP_MS * GRID_STEP_MS, self.now + 1, GRID_STEP_MS):
            rows = self._forecasts(origin, kind)
            self.publisher.publish(appended={"log": (origin, origin, pa.Table.from_pylist(rows, FORECAST_SCHEMA))})

    def publish_scaled_hours(self, half_hours: int = 60, coins: Sequence[Coin] | None = None) -> None:
        """Publish what followed the newest half-hours, of all coins or of these; coins move together in part."""
        chance = random.Random(half_hours)
        newest = (self.now - HOUR_MS) // _HALF_HOUR_MS * _HALF_HOUR_MS
        origins = range(newest - (half_hours - 1) * _HALF_HOUR_MS, newest + 1, _HALF_HOUR_MS)
        rows: list[dict[str, Any]] = []
        for origin in origins:
            market = chance.gauss(0, 1)
            for coin in self.coins if coins is None else coins:
                moves = dict.fromkeys(SCALED_MOVE_COLUMNS, market + chance.gauss(0, 1))
                rows.append({"coin": coin.id, "origin": to_datetime(origin), **moves})
        table = pa.Table.from_pylist(rows, SCALED_HOURS_SCHEMA)
        self.publisher.publish(appended={"scaled_hours": (origins[0], newest, table)})

    def publish_scores(self, hours: int = 30) -> None:
        """Publish live scores of the last `hours`."""
        start = self.now - hours * HOUR_MS
        self.publisher.publish(appended={"scores": (start, self.now, self._scores(hours))})

    def publish_backtest(self, hours: int = 30) -> None:
        """Publish a backtest of the last `hours`."""
        self.publisher.publish({"backtest": self._scores(hours)})

    def fill(self) -> SampleWorkspace:
        """Store and publish everything: 26 hours of prices, an hour of the log, 30 hours of scores and half-hours."""
        self.fill_prices()
        self.publish_log()
        self.publish_scaled_hours()
        self.publish_scores()
        self.publish_backtest()
        self.publish_forecasts()
        return self

    def beat(self, *names: str, **progress: Any) -> None:
        """Start heartbeats of these processes, running, with this progress."""
        for name in names:
            self.heartbeats[name] = self._exits.enter_context(Heartbeat(self.settings.run_dir, PROCESSES[name]))
            self.heartbeats[name].state(ProcessState.RUNNING, PROCESSES[name].progress(**progress))

    def run(self) -> SampleWorkspace:
        """Fill the workspace and let every process beat, as in a running suite."""
        self.fill()
        self.beat("suite", "api", "dashboard", "simulator")
        self.beat_collector()
        self.beat("pipeline", cycle=7, cycle_seconds=0.8, recent_cycle_seconds=(0.5, 0.8))
        return self

    def beat_collector(self) -> None:
        """Start the heartbeat of a collector whose back-fill is complete."""
        self.beat("collector", backfill_done=8, backfill_total=8, cadence_s=30.0, stale_after_s=180.0)

    def stop(self, name: str) -> None:
        """End the heartbeat of one process."""
        self.heartbeats.pop(name).__exit__(None, None, None)

    def _forecasts(self, origin_ms: int, kind: str) -> list[dict[str, Any]]:
        rows = []
        for coin in self.coins:
            price = self.prices[coin.id] if origin_ms == self.now else self.price(coin, origin_ms)
            rows += forecast_rows(coin.id, origin_ms, price, self.workspace.source, kind)
        return rows

    def _scores(self, hours: int) -> pa.Table:
        rows = [row for coin in self.coins for row in score_rows(coin.id, self.now - hours * HOUR_MS, hours)]
        return pa.Table.from_pylist(rows, SCORE_SCHEMA)


def forecast_rows(
    coin_id: str, origin_ms: int, price: float, source: str, kind: str = KIND_BASELINE
) -> list[dict[str, Any]]:
    """Twelve rows of FORECAST_SCHEMA: log-normal quantiles around a small rise, the reach of a Brownian motion."""
    shared: dict[str, Any] = {
        "coin": coin_id,
        "origin": to_datetime(origin_ms),
        "price_origin": price,
        "p_up": 0.53,
        "activity_percentile": 62.5,
        "kind": kind,
        "model_version": "base-1",
        "created_at": to_datetime(origin_ms + 1500),
        "source": str(source),
    }
    rows = []
    for horizon in HORIZONS_MIN:
        spread = _VOLATILITY * math.sqrt(horizon / 60)
        quantiles = (price * math.exp(z * spread) for z in _NORMAL)
        named = dict(zip(QUANTILE_COLUMNS, quantiles, strict=True))
        named |= {name: z * spread for name, z in zip(REACH_COLUMNS, _HALF_NORMAL, strict=True)}
        rows.append({**shared, **named, "horizon_min": horizon, "mean": price * (1 + 0.0001 * horizon / 60)})
    return rows


def score_rows(coin_id: str, start_ms: int, hours: int) -> list[dict[str, Any]]:
    """Rows of SCORE_SCHEMA, twelve an hour, whose pinball loss is 3 % below that of "the price stays"."""
    chance = random.Random(coin_id)
    rows = []
    for hour in range(hours):
        for horizon in HORIZONS_MIN:
            naive = 0.02 * chance.uniform(0.8, 1.2)
            sums: dict[str, float] = dict.fromkeys(SCORE_SUMS, 0.0)
            sums |= {"n": 12, "moved": 12, "rises": 6, "hits": 7, "forest": 6, "brier": 2.9}
            sums |= {"pinball": 0.97 * naive, "pinball_naive": naive, "abs_error": naive, "abs_error_naive": naive}
            sums |= {"inside_50": 6, "inside_80": 10, "inside_90": 11, "inside_95": 12, "width_80": 0.12}
            sums |= {"winkler_80": 0.2, "winkler_80_naive": 0.21}
            sums |= {"levels": 12, "beyond": 1.9, "beyond_brier": 1.55, "touched": 3.4, "touch_brier": 2.3}
            starts = to_datetime((start_ms // HOUR_MS + hour) * HOUR_MS)
            rows.append({"coin": coin_id, "hour": starts, "horizon_min": horizon, **sums})
    return rows
