"""Public code on the same prices, timed beside the pipeline: the naive loop, scikit-learn's bare fit, mlforecast."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from sklearn.ensemble import RandomForestRegressor

from bench.market import Market
from bench.process_cost import cpu_s
from core.settings import PROJECT
from core.times import DAY_MS
from etl.arrays import FloatArray
from etl.features import FEATURE_NAMES
from etl.outcomes import STEPS
from model.forecaster import RollingForest
from model.learner import EngineOptions

__all__ = ["PeerCost", "bare_fit_cpu_s", "naive_loop_cpu_s", "peers"]

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


@dataclass(frozen=True)
class PeerCost:
    """CPU-seconds of features, fit and predict of one public forecaster."""

    name: str
    cpu_s: float


def peers(coins: int, rows: int, days: float, seed: int = 0) -> list[PeerCost] | str:
    """mlforecast with a forest of the engine's size, and with LightGBM, on the same prices; or why they are skipped."""
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
    return [PeerCost(**one) for one in json.loads(done.stdout.splitlines()[-1])]
