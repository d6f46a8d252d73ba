"""Training as a step of its own: what it completes is published before its model says that it is learned."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from core.price_store import Coin, Price, open_writer
from core.publishing.publisher import Publisher
from core.reading.answers import portfolio_outlook
from core.reading.readers import Readers
from core.settings import PROJECT, load_settings
from core.times import GRID_STEP_MS, HOUR_MS, now_ms
from core.workspace import open_workspace

COINS = ("bitcoin", "ethereum")


def test_steps_run_one_after_another_publish_every_half_hour_once(tmp_path: Path) -> None:
    """Training twice with twelve hours between, and one forecast, are enough for joint risks of a portfolio."""
    settings = load_settings(source="demo", data_dir=tmp_path / "data", models_dir=tmp_path / "models")
    now = now_ms()
    times = now - 20_000 - GRID_STEP_MS * np.arange(2 * 288)[::-1]
    walks = {
        coin: 100 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.001, len(times))))
        for seed, coin in enumerate(COINS)
    }
    early = times <= now - 12 * HOUR_MS
    for there, steps in ((early, ("model.train",)), (~early, ("model.train", "model.predict"))):
        with open_writer(open_workspace(settings).database) as writer:
            writer.update_coins(Coin(coin, coin[:3], coin, rank, now) for rank, coin in enumerate(COINS))
            for coin, prices in walks.items():
                stored = zip(times[there].tolist(), prices[there].tolist(), strict=True)
                writer.store(Price(coin, ts_ms, price) for ts_ms, price in stored)
        for step in steps:
            subprocess.run(
                [sys.executable, "-m", step],
                cwd=PROJECT,
                env={**os.environ, **settings.environment()},
                check=True,
                timeout=120,
            )
    published = Publisher(open_workspace(settings).processed)
    for name, time, least in (("scaled_hours", "origin", 80), ("features", "ts", 280)):
        rows = [row for table in published.read(name, ["coin", time]) for row in table.to_pylist()]
        keys = {(row["coin"], row[time]) for row in rows}
        assert len(keys) == len(rows)
        assert min(sum(coin == one for one, _ in keys) for coin in COINS) >= least
    assert portfolio_outlook(Readers(settings), dict.fromkeys(COINS, 0.5)).risk.scenarios >= 80
