"""The forecasters of `bench.library_rivals` from statsforecast and mlforecast, and what every forecaster shares.

Nothing of this project is needed: the libraries live in an environment of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

import numpy as np
import numpy.typing as npt
import pandas as pd

HORIZONS = tuple(range(5, 65, 5))
LEVELS = {"q025": 0.025, "q05": 0.05, "q10": 0.1, "q25": 0.25, "q50": 0.5}
LEVELS |= {"q75": 0.75, "q90": 0.9, "q95": 0.95, "q975": 0.975}
STEPS = np.arange(1, len(HORIZONS) + 1)
DAY = 288
_SPREAD_SPAN = 72
_SPANS = (3, 12, 36, _SPREAD_SPAN, 288, 1152)
_EVERY = 3
"""One training row in three: neighbouring rows share nearly all of their hour."""

Array = npt.NDArray[np.float64]
Forecaster = Callable[[Array, int, int, npt.NDArray[np.int64]], Array]
"""(log prices (coins, marks), first and last mark of the training window, origins' marks) → log moves (coins, origins,
horizons, quantiles)."""


def garch(log_price: Array, first: int, last: int, marks: npt.NDArray[np.int64]) -> Array:
    """GARCH(1, 1) from statsforecast, coin by coin, with empirical quantiles of the standardised moves."""
    models = import_module("statsforecast.models")
    answer = np.full((len(log_price), len(marks), len(STEPS), len(LEVELS)), np.nan)
    for coin, prices in enumerate(log_price):
        returns = np.diff(prices[first : marks[-1] + 1])
        window = returns[: last - first]
        if not np.isfinite(returns).all() or window.std() == 0:
            continue
        unit = window.std()
        constant, alpha, beta = models.GARCH(1, 1).fit(window / unit).model_["coeff"]
        variance = _filter(returns / unit, constant, alpha, beta)
        stay = min(alpha + beta, 0.9999)
        long_run = constant / (1 - stay)
        ahead = np.cumsum(stay ** (STEPS - 1))
        spread = unit * np.sqrt(long_run * STEPS + (variance[:, None] - long_run) * ahead)
        for place, step in enumerate(STEPS):
            moves = prices[first + step : last + 1] - prices[first : last + 1 - step]
            bends = np.quantile((moves / spread[: len(moves), place])[DAY:], list(LEVELS.values()))
            answer[coin, :, place] = spread[marks - first, place, None] * bends
    return answer


def _filter(returns: Array, constant: float, alpha: float, beta: float) -> Array:
    """Variance of the return after each mark, from the returns up to it."""
    variance = np.empty(len(returns) + 1)
    variance[0] = 1.0
    for place, value in enumerate(returns):
        variance[place + 1] = constant + alpha * value**2 + beta * variance[place]
    return variance


def boosting(log_price: Array, first: int, last: int, marks: npt.NDArray[np.int64]) -> Array:
    """LightGBM's quantile regression, one model for each horizon and level, on mlforecast's features."""
    lightgbm = import_module("lightgbm")
    before = max(first - _SPANS[-1] - 1, 0)
    features, spread = _features(log_price[:, before : marks[-1] + 1])
    answer = np.full((len(log_price), len(marks), len(STEPS), len(LEVELS)), np.nan)
    known = np.isfinite(spread) & (spread > 0)
    asked = known[:, marks - before]
    for place, step in enumerate(STEPS):
        rows = np.arange(first, last + 1 - step, _EVERY)
        moves = (log_price[:, rows + step] - log_price[:, rows]) / (spread[:, rows - before] * np.sqrt(step))
        use = known[:, rows - before] & np.isfinite(moves)
        for number, level in enumerate(LEVELS.values()):
            model = lightgbm.LGBMRegressor(
                objective="quantile", alpha=level, n_estimators=60, learning_rate=0.08, num_leaves=15,
                min_child_samples=200, random_state=0, n_jobs=1, verbosity=-1,
            )  # fmt: skip
            model.fit(features[:, rows - before][use], moves[use])
            made = np.full(asked.shape, np.nan)
            made[asked] = model.predict(features[:, marks - before][asked])
            answer[:, :, place, number] = made * spread[:, marks - before] * np.sqrt(step)
    return np.sort(answer, axis=-1)


def _features(log_price: Array) -> tuple[Array, Array]:
    """Features (coins, marks, …) known at each mark, in units of the spread (coins, marks), and that spread."""
    mlforecast, transforms = import_module("mlforecast"), import_module("mlforecast.lag_transforms")
    kinds = (transforms.RollingMean, transforms.RollingStd, transforms.RollingMin, transforms.RollingMax)
    coins, marks = log_price.shape
    returns = np.diff(log_price, axis=1, append=0.0)  # the last one is unknown; no feature of lag 1 looks at it
    frame = pd.DataFrame(
        {"unique_id": np.repeat(np.arange(coins), marks), "ds": np.tile(np.arange(marks), coins), "y": returns.ravel()}
    )
    looks = [make(span) for span in _SPANS for make in kinds]
    forecaster = mlforecast.MLForecast(models=[], freq=1, lags=[1, 2, 3, 6, 12], lag_transforms={1: looks})
    made = forecaster.preprocess(frame.dropna(), dropna=False, static_features=[]).reindex(frame.index)
    spread = made[f"rolling_std_lag1_window_size{_SPREAD_SPAN}"].to_numpy(dtype=np.float64)
    values = made.drop(columns=["unique_id", "ds", "y"]).to_numpy(dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        scaled = values / spread[:, None]
    level = np.log(np.where(spread > 0, spread, np.nan))
    columns = np.column_stack([scaled, level])
    return columns.reshape(coins, marks, -1), spread.reshape(coins, marks)
