"""Runs `python -m bench` as a person would, and generates recordings for what trains on them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.settings import PROJECT, Settings

RunBench = Callable[..., subprocess.CompletedProcess[str]]
WriteWalks = Callable[..., Path]


@pytest.fixture(scope="session")
def run_bench() -> RunBench:
    """A function that runs `python -m bench ARG…` without settings of this machine; it must succeed."""
    blank = {f"CRYPTO_{name.upper()}": "" for name in Settings.model_fields}

    def run(*arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "bench", *arguments],
            cwd=PROJECT,
            env={**os.environ, **blank},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == code, done.stderr
        return done

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
