"""The forecasts of a walk as a frame, with their outcomes and with the naive benchmark for the same rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa

from core.forecast_schema import HORIZONS_MIN, QUANTILE_COLUMNS
from core.realised_price import realised_extremes, realised_prices
from core.times import GRID_STEP_MS, MINUTE_MS
from etl.arrays import FloatArray, IntArray
from etl.features.raw_prices import RawPrices
from etl.recordings.recording import PriceHistory
from model.forecaster.forecasts import Forecasts
from model.scoring.naive_benchmark import HISTORY_POINTS, NaiveBenchmark

__all__ = ["RecordedBenchmark", "forecast_frame", "with_outcomes"]

_LIVE_COLUMNS: Final = ["model_version", "created_at", "source"]
"""Columns of the forecast contract that mean nothing in a backtest."""


def forecast_frame(coins: Sequence[str], made: Sequence[Forecasts]) -> pd.DataFrame:
    """Forecasts (at least one) as rows of the forecast contract, but for what only live forecasts have.

    Args:
        coins: ids of all coins of the recording, the categories of the column `coin`.
        made: what `walk_forward` yielded.
    """
    table = pa.concat_tables([one.to_table("", 0, "") for one in made]).drop_columns(_LIVE_COLUMNS)
    frame: pd.DataFrame = table.to_pandas(categories=["coin", "kind"])
    return frame.assign(coin=frame["coin"].cat.set_categories(list(coins)))


def with_outcomes(frame: pd.DataFrame, recording: PriceHistory) -> pd.DataFrame:
    """The frame with what followed.

    The added columns: `price_actual`, the realised price at origin plus horizon, NaN where it is unknown; `price_high`
    and `price_low`, the highest and lowest price after the origin up to then.
    """
    actual, high, low = (np.full(len(frame), np.nan) for _ in range(3))
    origin_ms = _milliseconds(frame["origin"])
    target_ms = origin_ms + frame["horizon_min"].to_numpy(dtype=np.int64) * MINUTE_MS
    codes = frame["coin"].cat.codes.to_numpy()
    for code, coin in enumerate(frame["coin"].cat.categories):
        ts, price = recording[coin]
        rows = codes == code
        actual[rows] = realised_prices(ts, price, target_ms[rows], int(ts[-1]))
        high[rows], low[rows] = realised_extremes(ts, price, origin_ms[rows], target_ms[rows])
    return frame.assign(price_actual=actual, price_high=high, price_low=low)


class RecordedBenchmark:
    """The naive benchmark at every coin and origin of a recording."""

    def __init__(self, recording: PriceHistory) -> None:
        self._column = {coin: column for column, coin in enumerate(recording)}
        self._benchmark = NaiveBenchmark()
        raw = RawPrices()
        start_ms = min(int(ts[0]) for ts, _ in recording.values())
        end_ms = max(int(ts[-1]) for ts, _ in recording.values())
        self._grid_ms = np.arange(start_ms - start_ms % GRID_STEP_MS, end_ms + 1, GRID_STEP_MS)
        for column, (ts, price) in enumerate(recording.values()):
            raw.append(column, ts, price)
        self._log_price = np.log(raw.as_of(np.arange(len(recording)), self._grid_ms[:, None])[0])

    def frame(self, forecasts: pd.DataFrame) -> pd.DataFrame:
        """Rows like those of `forecasts` (coin, origin, horizon_min, …) with the benchmark's quantiles as prices.

        Args:
            forecasts: all twelve horizons of each coin and origin, in order.
        """
        head = forecasts[["coin", "origin", "horizon_min", "price_origin"]].reset_index(drop=True)
        first = head.iloc[:: len(HORIZONS_MIN)]
        keys = zip(first["coin"].tolist(), _milliseconds(first["origin"]).tolist(), strict=True)
        moves = np.concatenate([self._benchmark.quantiles(coin, ts_ms, self._log_prices) for coin, ts_ms in keys])
        prices = head["price_origin"].to_numpy()[:, None] * np.exp(moves)
        return head.assign(**{name: prices[:, n] for n, name in enumerate(QUANTILE_COLUMNS)})

    def _log_prices(self, coin: str, until_ms: int) -> FloatArray:
        upto = int(np.searchsorted(self._grid_ms, until_ms, side="right"))
        return np.asarray(self._log_price[max(upto - HISTORY_POINTS, 0) : upto, self._column[coin]])


def _milliseconds(times: pd.Series) -> IntArray:
    return np.asarray(times.dt.as_unit("ms").astype("int64").to_numpy(), dtype=np.int64)
