"""Runs benchmarks in this process, and generates recordings for what trains on them."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.settings import Settings

RunBench = Callable[..., str]
WriteWalks = Callable[..., Path]


@pytest.fixture
def run_bench(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> RunBench:
    """A function that runs `bench.NAME` without settings of this machine and returns what it prints."""
    for name in Settings.model_fields:
        monkeypatch.setenv(f"CRYPTO_{name.upper()}", "")

    def run(name: str, *arguments: str, code: int = 0) -> str:
        assert importlib.import_module(f"bench.{name}").main(arguments) == code
        said = capfd.readouterr()
        return said.err if code else said.out

    return run


@pytest.fixture(scope="session")
def write_walks() -> WriteWalks:
    """A function that writes a recording of random walks whose volatility changes within hours.

    Of the last `sparse` coins it writes only every fifth price.
    """

    def write(
        path: Path, start: str, days: int, *, every_s: int = 60, coins: int = 2, sparse: int = 0, seed: int = 0
    ) -> Path:
        rng = np.random.default_rng(seed)
        times = pd.date_range(start, periods=days * 86_400 // every_s, freq=f"{every_s}s", tz="UTC", unit="ms")
        hours = np.arange(len(times)) * every_s // 3600
        level = np.exp(rng.normal(0, 0.5, (hours[-1] + 1, coins)))[hours]
        steps = 0.0008 * np.sqrt(every_s / 60) * level * rng.normal(0, 1, (len(times), coins))
        walks = 100 * np.exp(steps.cumsum(axis=0))
        walks[np.arange(len(times)) % 5 > 0, coins - sparse :] = np.nan
        prices = pd.DataFrame(walks, times, [f"coin{n}" for n in range(coins)])
        long = prices.rename_axis("timestamp").melt(ignore_index=False, var_name="coin", value_name="price")
        long.dropna().reset_index().to_parquet(path)
        return path

    return write
