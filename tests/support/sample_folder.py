"""A data folder as collector and pipeline leave it, made in a second: for tests and benchmarks of the API."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from core.accuracy.scores import SCORE_SCHEMA, SCORE_SUMS
from core.forecast_schema import FORECAST_SCHEMA, HORIZONS_MIN, KIND_BASELINE, QUANTILE_COLUMNS
from core.price_store import Coin, Price, PriceWriter
from core.publishing.publisher import Publisher
from core.settings import Settings, Source
from core.times import GRID_STEP_MS, HOUR_MS, MINUTE_MS, now_ms, to_datetime
from core.workspace import Workspace, open_workspace, publish_source

__all__ = ["COINS", "SampleFolder", "forecast_rows", "score_rows"]

COINS: Final = (
    Coin("bitcoin", "btc", "Bitcoin", 1, 1),
    Coin("ethereum", "eth", "Ethereum", 2, 1),
    Coin("dogecoin", "doge", "Dogecoin", 8, 1),
)
_NORMAL: Final = (-1.96, -1.645, -1.2816, -0.6745, 0.0, 0.6745, 1.2816, 1.645, 1.96)
_VOLATILITY: Final = 0.004


@dataclass
class SampleFolder:
    """Writes prices, forecasts, log and scores into the workspace of `settings`; `now` is the newest price's time."""

    settings: Settings
    workspace: Workspace
    coins: tuple[Coin, ...]
    now: int

    @classmethod
    def make(
        cls, data_dir: Path, coins: Sequence[Coin] = COINS, source: Source = Source.DEMO, **settings: Any
    ) -> SampleFolder:
        """An empty workspace below `data_dir`, published as the current one."""
        values: dict[str, Any] = {"data_dir": data_dir, "models_dir": data_dir / "models", "source": source, **settings}
        chosen = Settings(**values)
        workspace = open_workspace(chosen)
        publish_source(chosen, workspace, None)
        return cls(chosen, workspace, tuple(coins), now_ms() // 1000 * 1000)

    def price(self, coin: Coin, ts_ms: int) -> float:
        """A smooth price, high for the first coin and low for the last."""
        level: float = 60_000.0 / 20 ** self.coins.index(coin)
        return level * (1 + 0.01 * math.sin(ts_ms / HOUR_MS) + 0.001 * math.sin(ts_ms / MINUTE_MS))

    def fill_prices(self, hours: float = 26, step_ms: int = MINUTE_MS) -> None:
        """Store the coins and their prices up to now."""
        start = self.now - round(hours * HOUR_MS)
        with PriceWriter(self.workspace.database) as writer:
            writer.update_coins(self.coins)
            for coin in self.coins:
                moments = range(self.now, start, -step_ms)
                writer.store(Price(coin.id, ts, self.price(coin, ts), 1e9, 1e6, ts + 900) for ts in moments)

    def publish(self, publisher: Publisher, origin_ms: int | None = None) -> None:
        """Publish the latest forecast of every coin, made at its origin (default: now)."""
        origin = self.now if origin_ms is None else origin_ms
        rows = [row for coin in self.coins for row in self._forecast(coin, origin)]
        table = pa.Table.from_pylist(rows, FORECAST_SCHEMA).replace_schema_metadata({"trained_ms": str(origin - 5000)})
        publisher.publish({"latest": table})

    def publish_log(self, publisher: Publisher, hours: float = 1) -> None:
        """Publish one logged forecast per coin and 5 minutes, one part a slot, the newest now."""
        first = self.now - round(hours * HOUR_MS)
        for origin in range(self.now - (self.now - first) // GRID_STEP_MS * GRID_STEP_MS, self.now + 1, GRID_STEP_MS):
            rows = [row for coin in self.coins for row in self._forecast(coin, origin)]
            table = pa.Table.from_pylist(rows, FORECAST_SCHEMA)
            publisher.publish(appended={"log": (origin, origin, table)})

    def publish_scores(self, publisher: Publisher, hours: int = 30) -> None:
        """Publish live scores of `hours` hours and a backtest as long."""
        rows = [row for coin in self.coins for row in score_rows(coin.id, self.now - hours * HOUR_MS, hours)]
        table = pa.Table.from_pylist(rows, SCORE_SCHEMA)
        publisher.publish({"backtest": table}, {"scores": (self.now - hours * HOUR_MS, self.now, table)})

    def fill(self) -> Publisher:
        """Store and publish everything; return the publisher."""
        self.fill_prices()
        publisher = Publisher(self.workspace.processed)
        self.publish_log(publisher)
        self.publish_scores(publisher)
        self.publish(publisher)
        return publisher

    def _forecast(self, coin: Coin, origin_ms: int) -> list[dict[str, Any]]:
        return forecast_rows(coin.id, origin_ms, self.price(coin, origin_ms), self.workspace.source)


def forecast_rows(coin_id: str, origin_ms: int, price: float, source: str) -> list[dict[str, Any]]:
    """Twelve rows of FORECAST_SCHEMA with log-normal quantiles around a small rise."""
    shared: dict[str, Any] = {
        "coin": coin_id,
        "origin": to_datetime(origin_ms),
        "price_origin": price,
        "p_up": 0.53,
        "kind": KIND_BASELINE,
        "model_version": "base-1",
        "created_at": to_datetime(origin_ms + 1500),
        "source": str(source),
    }
    rows = []
    for horizon in HORIZONS_MIN:
        spread = _VOLATILITY * math.sqrt(horizon / 60)
        quantiles = (price * math.exp(z * spread) for z in _NORMAL)
        named = dict(zip(QUANTILE_COLUMNS, quantiles, strict=True))
        rows.append({**shared, **named, "horizon_min": horizon, "mean": price * (1 + 0.0001 * horizon / 60)})
    return rows


def score_rows(coin_id: str, start_ms: int, hours: int) -> list[dict[str, Any]]:
    """Rows of SCORE_SCHEMA, twelve an hour, with sums a little better than "the price stays"."""
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
            moment = to_datetime((start_ms // HOUR_MS + hour) * HOUR_MS)
            rows.append({"coin": coin_id, "hour": moment, "horizon_min": horizon, **sums})
    return rows
