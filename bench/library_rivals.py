"""Two rivals from well-known libraries, for `python -m model.backtest --rival`. Needs none of this project's packages.

A script of its own, because it runs in an environment of its own (the libraries do not know pandas 3 yet):
`pip install statsforecast mlforecast lightgbm pyarrow`, then `python bench/library_rivals.py --data PRICES.parquet
--origins FORECASTS.parquet --out FOLDER`. It forecasts the coins and origins of FORECASTS, which a backtest wrote:

statsforecast: GARCH(1, 1) of each coin's 5-minute log returns, filtered up to the origin; the quantiles of each horizon
    are those of the training window's moves in units of the spread that the model gave them. Left out: a coin until its
    prices fill the training window (or reach back to the recording's start).
lightgbm: one gradient boosting for each horizon and quantile, all coins together, on mlforecast's lags and rolling
    statistics; moves and features in units of the last six hours' spread.

Models are fitted on the `--train-days` before a refit and know no price after it; features and filter know none after
the origin. Prices are read as of 5-minute marks, so an origin between two marks is forecast from the mark before.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

_HORIZONS = tuple(range(5, 65, 5))
_LEVELS = {"q025": 0.025, "q05": 0.05, "q10": 0.1, "q25": 0.25, "q50": 0.5}
_LEVELS |= {"q75": 0.75, "q90": 0.9, "q95": 0.95, "q975": 0.975}
_STEPS = np.arange(1, len(_HORIZONS) + 1)
_DAY = 288
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
    answer = np.full((len(log_price), len(marks), len(_STEPS), len(_LEVELS)), np.nan)
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
        ahead = np.cumsum(stay ** (_STEPS - 1))
        spread = unit * np.sqrt(long_run * _STEPS + (variance[:, None] - long_run) * ahead)
        for place, step in enumerate(_STEPS):
            moves = prices[first + step : last + 1] - prices[first : last + 1 - step]
            bends = np.quantile((moves / spread[: len(moves), place])[_DAY:], list(_LEVELS.values()))
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
    answer = np.full((len(log_price), len(marks), len(_STEPS), len(_LEVELS)), np.nan)
    known = np.isfinite(spread) & (spread > 0)
    asked = known[:, marks - before]
    for place, step in enumerate(_STEPS):
        rows = np.arange(first, last + 1 - step, _EVERY)
        moves = (log_price[:, rows + step] - log_price[:, rows]) / (spread[:, rows - before] * np.sqrt(step))
        use = known[:, rows - before] & np.isfinite(moves)
        for number, level in enumerate(_LEVELS.values()):
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


def walk(forecaster: Forecaster, prices: pd.DataFrame, own: pd.DataFrame, days: int, refit: int) -> pd.DataFrame:
    """Forecast every coin and origin of `own` with models renewed at the first origin and every `refit` minutes."""
    log_price = np.log(prices.to_numpy(dtype=np.float64).T)
    parts = []
    for block in _blocks(own, refit):
        marks = np.asarray(prices.index.searchsorted(block, side="right") - 1, dtype=np.int64)
        last = int(marks[0])
        moves = forecaster(log_price, max(last - days * _DAY, 0), last, marks)
        index = pd.MultiIndex.from_product([prices.columns, block, _HORIZONS], names=["coin", "origin", "horizon_min"])
        table = pd.DataFrame(moves.reshape(-1, len(_LEVELS)), index=index, columns=list(_LEVELS))
        parts.append(table.dropna())
    made = own.merge(pd.concat(parts).reset_index(), on=["coin", "origin", "horizon_min"])
    for name in _LEVELS:
        made[name] = made["price_origin"] * np.exp(made[name])
    return made.assign(mean=made["q50"], p_up=0.5)


def _blocks(own: pd.DataFrame, refit: int) -> Iterator[pd.DatetimeIndex]:
    origins = pd.DatetimeIndex(own["origin"].unique()).sort_values()
    while len(origins):
        inside = origins < origins[0] + pd.Timedelta(minutes=refit)
        yield origins[inside]
        origins = origins[~inside]


def _prices(path: Path, coins: list[str]) -> pd.DataFrame:
    """Prices as of 5-minute marks, one column a coin; a price counts for the marks from it on."""
    raw = pd.read_parquet(path, columns=["timestamp", "coin", "price"])
    raw["coin"] = raw["coin"].astype(str)
    wide = raw[raw["coin"].isin(coins)].pivot_table(index="timestamp", columns="coin", values="price", aggfunc="last")
    return wide.resample("5min", label="right", closed="right").last().ffill()


_RIVALS: dict[str, Forecaster] = {"statsforecast": garch, "lightgbm": boosting}


def main() -> int:
    """Write FOLDER/NAME.parquet for each rival whose libraries are installed; 1 if there are none."""
    parser = argparse.ArgumentParser(description="Forecasts of library rivals for model.backtest --rival.")
    parser.add_argument("--data", type=Path, required=True, help="Parquet with timestamp, coin, price")
    parser.add_argument("--origins", type=Path, required=True, help="forecasts.parquet of a backtest")
    parser.add_argument("--out", type=Path, required=True, help="folder of the results")
    parser.add_argument("--only", choices=sorted(_RIVALS), help="this rival alone")
    parser.add_argument("--train-days", type=int, default=14)
    parser.add_argument("--refit-min", type=int, default=1440)
    given = parser.parse_args()
    warnings.filterwarnings("ignore", message="X does not have valid feature names")
    own = pd.read_parquet(given.origins, columns=["coin", "origin", "horizon_min", "price_origin"])
    prices = _prices(given.data, sorted(own["coin"].unique()))
    given.out.mkdir(parents=True, exist_ok=True)
    written = 0
    for name in [given.only] if given.only else _RIVALS:
        started = time.process_time()
        try:
            made = walk(_RIVALS[name], prices, own, given.train_days, given.refit_min)
        except ImportError as error:
            print(f"{name}: skipped, a library is not installed ({error})")
            continue
        made.to_parquet(given.out / f"{name}.parquet", index=False)
        print(f"{name}: {len(made)} of {len(own)} forecasts, {time.process_time() - started:.1f} CPU-s")
        written += 1
    return 0 if written else 1


if __name__ == "__main__":
    sys.exit(main())
