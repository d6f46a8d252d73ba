"""Rivals from public libraries, for `python -m model.backtest --rival`. Needs none of this project's packages.

It runs in an environment of its own (the libraries do not know pandas 3 yet): `pip install statsforecast mlforecast
lightgbm fracast pyarrow`, then in this project's folder `python -m bench.library_rivals --data PRICES.parquet --origins
FORECASTS.parquet --out FOLDER`. It forecasts the coins and origins of FORECASTS, which a backtest wrote:

statsforecast: GARCH(1, 1) of each coin's 5-minute log returns, filtered up to the origin; the quantiles of each horizon
    are those of the training window's moves in units of the spread that the model gave them. Left out: a coin until its
    prices fill the training window (or reach back to the recording's start).
lightgbm: one gradient boosting for each horizon and quantile, all coins together, on mlforecast's lags and rolling
    statistics; moves and features in units of the last six hours' spread.
fracast: a foundation model's own quantiles of the price, tails from Student's t.
fracast_scale: the same model's forecast of the next hour's mean absolute return, with quantiles of the training
    window's moves in units of it.

Models are fitted on the `--train-days` before a refit and know no price after it; features and filter know none after
the origin. Prices are read as of 5-minute marks, so an origin between two marks is forecast from the mark before.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from bench.fracast_rival import FracastScale, fracast_price
from bench.rival_forecasters import DAY, HORIZONS, LEVELS, Forecaster, boosting, garch


def walk(forecaster: Forecaster, prices: pd.DataFrame, own: pd.DataFrame, days: int, refit: int) -> pd.DataFrame:
    """Forecast every coin and origin of `own` with models renewed at the first origin and every `refit` minutes."""
    log_price = np.log(prices.to_numpy(dtype=np.float64).T)
    parts = []
    for block in _blocks(own, refit):
        marks = np.asarray(prices.index.searchsorted(block, side="right") - 1, dtype=np.int64)
        last = int(marks[0])
        moves = forecaster(log_price, max(last - days * DAY, 0), last, marks)
        index = pd.MultiIndex.from_product([prices.columns, block, HORIZONS], names=["coin", "origin", "horizon_min"])
        table = pd.DataFrame(moves.reshape(-1, len(LEVELS)), index=index, columns=list(LEVELS))
        parts.append(table.dropna())
    made = own.merge(pd.concat(parts).reset_index(), on=["coin", "origin", "horizon_min"])
    for name in LEVELS:
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


_RIVALS: dict[str, Forecaster] = {
    "statsforecast": garch,
    "lightgbm": boosting,
    "fracast": fracast_price,
    "fracast_scale": FracastScale(),
}


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
