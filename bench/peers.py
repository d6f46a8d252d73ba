"""mlforecast on prices (rows, coins) from a .npy file: features, fit, predict. Needs mlforecast and lightgbm alone.

A script of its own, because it runs in an environment of its own: `python bench/peers.py prices.npy FOREST_AS_JSON`.
Twelve horizons, each with its own model (`max_horizon=12`); lags and rolling means and deviations of the log returns
over the spans that this project's features look back over.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import numpy as np
import pandas as pd
from lightgbm import LGBMRegressor
from mlforecast import MLForecast
from mlforecast.lag_transforms import ExponentiallyWeightedMean, RollingMax, RollingMean, RollingMin, RollingStd
from sklearn.ensemble import RandomForestRegressor

_SPANS = (3, 6, 12, 24, 72, 144, 288)


def _cpu_s() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _run(model: Any, frame: pd.DataFrame) -> float:
    started = _cpu_s()
    looks = [make(span) for span in _SPANS for make in (RollingMean, RollingStd, RollingMin, RollingMax)]
    averages = [ExponentiallyWeightedMean(alpha) for alpha in (0.5, 0.2, 0.06, 0.01)]
    forecaster = MLForecast(
        models={"model": model}, freq=1, lags=[1, 2, 3, 6, 12, 24, 48, 96, 288], lag_transforms={1: [*looks, *averages]}
    )
    forecaster.fit(frame, max_horizon=12)
    forecaster.predict(12)
    return _cpu_s() - started


def main() -> int:
    """Print one JSON list on the last line."""
    prices = np.load(sys.argv[1])
    rows, coins = prices.shape
    moves = np.diff(np.log(prices), axis=0)
    frame = pd.DataFrame(
        {
            "unique_id": np.repeat(np.arange(coins), rows - 1),
            "ds": np.tile(np.arange(rows - 1), coins),
            "y": moves.T.ravel(),
        }
    )
    forest = RandomForestRegressor(**json.loads(sys.argv[2]), random_state=0)
    boosting = LGBMRegressor(n_estimators=100, num_leaves=31, random_state=0, n_jobs=1, verbosity=-1)
    costs = {"mlforecast, forest": _run(forest, frame), "mlforecast, LightGBM": _run(boosting, frame)}
    print(json.dumps([{"name": name, "cpu_s": seconds} for name, seconds in costs.items()]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
