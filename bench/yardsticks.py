"""`python -m bench yardsticks`: public code on the prices of the cycle benchmark, in CPU-seconds.

The naive loop, scikit-learn's bare fit, and mlforecast with a forest and with LightGBM.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from sklearn.ensemble import RandomForestRegressor

from bench.market import Market
from bench.process_cost import cpu_s
from core.settings import PROJECT
from core.times import DAY_MS
from etl.arrays import FloatArray
from etl.features.columns import FEATURE_NAMES
from etl.features.targets import STEPS
from model.forecaster.online_model import EngineOptions
from model.forecaster.volatility_models import RollingForest

__all__ = ["bare_fit_cpu_s", "main", "naive_loop_cpu_s", "peers"]

_PEERS_PYTHON: Final = "CRYPTO_PEERS_PYTHON"
"""Names the interpreter of an environment with mlforecast and LightGBM; they want pandas 2, this project pandas 3."""


def naive_loop_cpu_s(coins: int, rows: int, days: float, seed: int = 0) -> float:
    """CPU-seconds of one RandomForestRegressor(200) per coin, fitted on price levels and asked once.

    Features are the price, its means over 3 and 6 samples and its last change; the target is the next sample; the
    oldest 80 % of the rows are fitted, as the first implementation of this project did it every cycle.
    """
    step_ms = round(days * DAY_MS / rows)
    _, prices = Market.start(coins, step_ms, 0, seed).walk(rows)
    started = cpu_s()
    for coin in range(coins):
        x, y = _levels(prices[:, coin])
        train = int(0.8 * len(y))
        forest = RandomForestRegressor(n_estimators=200, random_state=seed).fit(x[:train], y[:train])
        forest.predict(x[-1:])
    return cpu_s() - started


def _levels(price: FloatArray) -> tuple[FloatArray, FloatArray]:
    total = np.cumsum(np.insert(price, 0, 0.0))
    mean3, mean6 = ((total[window:] - total[:-window]) / window for window in (3, 6))
    x = np.stack([price[5:], mean3[3:], mean6, price[5:] - price[4:-1]], axis=1)
    return x[:-1], price[6:]


def bare_fit_cpu_s(rows: int, trees: int, seed: int = 0) -> float:
    """CPU-seconds of scikit-learn's own `fit` of `trees` trees on a matrix of the engine's shape."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(rows, len(FEATURE_NAMES))).astype(np.float32)
    y = (x[:, :STEPS] + random.normal(size=(rows, STEPS))).astype(np.float32)
    shape = RollingForest(n_trees=EngineOptions().n_trees)
    forest = RandomForestRegressor(
        n_estimators=trees,
        min_samples_leaf=shape.min_samples_leaf,
        max_features=shape.max_features,
        max_samples=shape.max_samples,
        random_state=seed,
    )
    started = cpu_s()
    forest.fit(x, y)
    return cpu_s() - started


def peers(coins: int, rows: int, days: float, seed: int = 0) -> dict[str, float] | str:
    """mlforecast with a forest of the engine's size, and with LightGBM, on the same prices: CPU-seconds of features,
    fit and predict by name; or why they are skipped.
    """
    python = os.environ.get(_PEERS_PYTHON, sys.executable)
    _, prices = Market.start(coins, round(days * DAY_MS / rows), 0, seed).walk(rows)
    shape = RollingForest(n_trees=EngineOptions().n_trees)
    forest = {name: getattr(shape, name) for name in ("min_samples_leaf", "max_features", "max_samples")}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "prices.npy"
        np.save(file, prices)
        command = [
            python,
            str(PROJECT / "bench" / "peers.py"),
            str(file),
            json.dumps({"n_estimators": shape.n_trees, **forest}),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        return f"skipped: {last} (name an interpreter that has them in {_PEERS_PYTHON})"
    return {one["name"]: one["cpu_s"] for one in json.loads(done.stdout.splitlines()[-1])}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; what is asked for, or all of it."""
    parser = argparse.ArgumentParser(prog="python -m bench yardsticks", description=__doc__)
    parser.add_argument("--coins", type=int, default=10)
    parser.add_argument("--rows", type=int, default=4032, help="prices per coin")
    parser.add_argument("--history-days", type=float, default=14.0)
    parser.add_argument("--fit-rows", type=int, default=24_000, help="rows of the bare fit of one tree")
    parser.add_argument("--only", choices=("naive", "fit", "peers"), action="append")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    size = (options.coins, options.rows, options.history_days)
    measures: dict[str, Callable[[], Any]] = {
        "naive": lambda: naive_loop_cpu_s(*size),
        "fit": lambda: bare_fit_cpu_s(options.fit_rows, 1),
        "peers": lambda: peers(*size),
    }
    costs = {name: measures[name]() for name in options.only or measures}
    if options.json:
        print(json.dumps(costs))
    else:
        for name, cost in costs.items():
            print(f"{name:12} {cost}")
    return 0
