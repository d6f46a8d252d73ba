"""`python -m bench retention`: how large a data folder is after 90 days, measured on one day of each table.

Numbers are random, so nothing compresses better here than in life; prices come twice a minute, as often as they can.
What does not grow with the days is left out: the newest forecasts, five models, the write-ahead log (at most 64 MB)
and health files. Exports are made when asked for and lie nowhere. What is written each day: `python -m bench suite`.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from bench.market import coin_names
from core.accuracy.scores import SCORE_SCHEMA
from core.forecast_schema import FORECAST_SCHEMA
from core.price_store import Price, PriceWriter
from core.publishing.parquet import sorted_by
from core.publishing.publisher import Publisher
from core.times import DAY_MS, GRID_STEP_MS, HOUR_MS
from etl.collector.retention import Retention
from etl.features.feature_table import FEATURE_SCHEMA

__all__ = ["FolderSize", "main", "measure_size"]

_KEEP_DAYS: Final = 90
_POLL_MS: Final = 30_000
_DAY: Final = 20_000
_HORIZONS: Final = 12


@dataclass(frozen=True)
class FolderSize:
    """Megabytes a day of each table, of a day of prices once it is thinned, and of everything after 90 days."""

    coins: int
    prices: float
    thinned: float
    log: float
    features: float
    scores: float

    @property
    def database(self) -> float:
        """Gigabytes of 90 days in crypto.db."""
        return _KEEP_DAYS * self.prices / 1000

    @property
    def processed(self) -> float:
        """Gigabytes of 90 days in processed/."""
        return _KEEP_DAYS * (self.log + self.features + self.scores) / 1000

    @property
    def kept(self) -> float:
        """Gigabytes of 90 days of everything."""
        return self.database + self.processed

    @property
    def per_further_year(self) -> float:
        """Gigabytes of each year of thinned prices after that."""
        return 365 * self.thinned / 1000


def measure_size(folder: Path, coins: int) -> FolderSize:
    """Fill the empty `folder` with a day of each table and look at the files."""
    raw, thinned = _price_bytes(folder, coins)
    publisher = Publisher(folder / "tables")
    start_ms = _DAY * DAY_MS
    features = _random(FEATURE_SCHEMA, coins, np.arange(start_ms, start_ms + DAY_MS, GRID_STEP_MS))
    hours = np.repeat(np.arange(start_ms, start_ms + DAY_MS, HOUR_MS), _HORIZONS)
    scores = _random(SCORE_SCHEMA, coins, hours)
    span = (start_ms, start_ms + DAY_MS - 1)
    publisher.publish({}, {"log": (*span, _log(coins)), "features": (*span, features), "scores": (*span, scores)})
    for name, order in (("log", "origin"), ("features", "ts"), ("scores", "hour")):
        publisher.compact(name, start_ms + 2 * DAY_MS, sorted_by("coin", order))
    log, features_mb, scores_mb = (_part_bytes(publisher, name) / 1e6 for name in ("log", "features", "scores"))
    return FolderSize(coins, raw / 1e6, thinned / 1e6, log, features_mb, scores_mb)


def _price_bytes(folder: Path, coins: int) -> tuple[float, float]:
    """Bytes of a day of polls, and of the same day once it is thinned."""
    path, generator = folder / "crypto.db", np.random.default_rng(0)
    names = [coin.id for coin in coin_names(coins)]
    with PriceWriter(path) as writer:
        writer.update_coins(coin_names(coins))
        writer.checkpoint()
        empty = path.stat().st_size
        for ts_ms in range(_DAY * DAY_MS, (_DAY + 1) * DAY_MS, _POLL_MS):
            values = generator.lognormal(5, 3, (coins, 3)).tolist()
            writer.store(
                Price(name, ts_ms + shift, price, market_cap, volume, ts_ms + 20_000)
                for shift, (name, (price, market_cap, volume)) in enumerate(zip(names, values, strict=True))
            )
        writer.checkpoint()
        raw = path.stat().st_size - empty
        retention = Retention(writer, _KEEP_DAYS)
        while retention.step((_DAY + _KEEP_DAYS + 2) * DAY_MS):
            pass
        writer._connection.execute("VACUUM")  # measures only: in life the freed pages take the next days
        writer.checkpoint()
        return raw, path.stat().st_size - empty


def _log(coins: int) -> pa.Table:
    """A forecast a coin and slot: twelve rows that begin at one price, mostly stay there, and spread as they like."""
    slots = np.repeat(np.arange(_DAY * DAY_MS, (_DAY + 1) * DAY_MS, GRID_STEP_MS), _HORIZONS)
    table = _random(FORECAST_SCHEMA, coins, slots)
    origin = pa.array(np.repeat(np.random.default_rng(1).normal(size=len(table) // _HORIZONS), _HORIZONS))
    for name in ("price_origin", "mean"):
        table = table.set_column(table.schema.get_field_index(name), name, origin)
    return table


def _random(schema: pa.Schema, coins: int, moments: np.ndarray[tuple[int], np.dtype[np.int64]]) -> pa.Table:
    """A row of random numbers for each coin and moment."""
    generator, rows = np.random.default_rng(0), coins * len(moments)
    columns = {}
    for field in schema:
        if pa.types.is_string(field.type):
            columns[field.name] = pa.array(np.repeat([coin.id for coin in coin_names(coins)], len(moments)))
        elif pa.types.is_timestamp(field.type):
            columns[field.name] = pa.array(np.tile(moments, coins)).cast(field.type)
        elif pa.types.is_integer(field.type):
            columns[field.name] = pa.array(np.tile(np.arange(_HORIZONS), rows // _HORIZONS)).cast(field.type)
        else:
            columns[field.name] = pa.array(generator.normal(size=rows)).cast(field.type)
    return pa.table(columns, schema=schema)


def _part_bytes(publisher: Publisher, name: str) -> int:
    return sum((publisher.folder / part.file).stat().st_size for part in publisher.manifest.parts[name])


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure with several numbers of coins and print a table."""
    parser = argparse.ArgumentParser(prog="python -m bench retention", description=__doc__)
    parser.add_argument("--coins", type=int, nargs="+", default=[10, 250])
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    sizes = []
    for coins in options.coins:
        with tempfile.TemporaryDirectory() as folder:
            sizes.append(measure_size(Path(folder), coins))
    if options.json:
        print(json.dumps([asdict(size) | {"kept_gb": size.kept} for size in sizes]))
        return 0
    print(f"{'':44}" + "".join(f"{size.coins:>8} coins" for size in sizes))
    for label, name in (
        ("prices twice a minute, MB a day", "prices"),
        ("the same day thinned to 5 minutes, MB", "thinned"),
        ("log of forecasts, MB a day", "log"),
        ("features, MB a day", "features"),
        ("scores, MB a day", "scores"),
        ("crypto.db after 90 days, GB", "database"),
        ("processed/ after 90 days, GB", "processed"),
        ("both after 90 days, GB", "kept"),
        ("each further year of thinned prices, GB", "per_further_year"),
    ):
        print(f"{label:44}" + "".join(f"{getattr(size, name):14.2f}" for size in sizes))
    return 0


if __name__ == "__main__":
    sys.exit(main())
