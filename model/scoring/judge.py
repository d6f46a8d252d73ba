"""Judges forecasts of some coins by their stored prices: outcomes, then losses beside those of the naive benchmark."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
import pyarrow as pa

from core.accuracy.scores import SCORE_SCHEMA
from core.forecast_schema import HORIZONS_MIN, KIND_MODEL, QUANTILE_COLUMNS, REACH_COLUMNS, current_kind
from core.realised_price import is_outcome, realised_extremes
from core.times import GRID_STEP_MS, HOUR_MS, MINUTE_MS
from etl.arrays import BoolArray, FloatArray, IntArray
from etl.features.raw_prices import RawPrices
from model.scoring.losses import loss_terms
from model.scoring.naive_benchmark import HISTORY_POINTS, NaiveBenchmark
from model.scoring.scorer_state import origins_ms

__all__ = ["Judge", "Judged", "PriceJudge", "Prices", "targets_ms"]


class Prices(Protocol):
    """The part of the price store that scoring needs (`core.price_store.PriceReader`)."""

    def as_of_each(self, moments: Sequence[tuple[str, int]]) -> list[tuple[int, float] | None]:
        """For each coin and moment event time and value of the last price at or before it, or None."""

    def since(self, start_ms: Mapping[str, int], end_ms: int) -> dict[str, list[tuple[int, float]]]:
        """Event times and prices of many coins, each from its own start to one end, in order; of those with any."""

    def thinned(self, coin_id: str, start_ms: int, end_ms: int) -> list[tuple[int, float]]:
        """The last price of each 5-minute interval within [start_ms, end_ms), in order."""


@dataclass(frozen=True)
class Judged:
    """What became of n forecasts.

    Attributes:
        has_outcome: mask (n,).
        scores: rows of SCORE_SCHEMA, one for each forecast with an outcome; none for a coin without two hours of
            history before the origin.
    """

    has_outcome: BoolArray
    scores: pa.Table


Judge = Callable[[pa.Table], Judged]
"""Judges rows of FORECAST_SCHEMA, or of those columns that scores need, of coins whose prices reach their targets."""


class PriceJudge:
    """Judges forecasts; it remembers the benchmarks of their coins.

    Args:
        busy: called before each coin's history is read.
    """

    def __init__(self, busy: Callable[[], None] = lambda: None) -> None:
        self._benchmark = NaiveBenchmark()
        self._busy = busy

    def judge(self, due: pa.Table, prices: Prices) -> Judged:
        """Match forecasts with their outcomes, by the rule of `core.realised_price`, and score those that have one.

        Raises:
            NotReady, DamagedFile: the price store cannot be read now.
        """
        target = targets_ms(due)
        price_ms, price = np.zeros(len(due), dtype=np.int64), np.full(len(due), np.nan)
        moments = list(zip(due["coin"].to_pylist(), target.tolist(), strict=True))
        for row, known in enumerate(prices.as_of_each(moments)):
            price_ms[row], price[row] = known or (0, np.nan)
        actual = np.where(is_outcome(price_ms, target, target), price, np.nan)
        found = np.isfinite(actual)
        realised = due.filter(pa.array(found)).append_column("price_actual", pa.array(actual[found]))
        return Judged(found, self._score(realised, prices))

    def _score(self, realised: pa.Table, prices: Prices) -> pa.Table:
        origin = origins_ms(realised)
        moves = np.empty((len(realised), len(QUANTILE_COLUMNS)))
        history = partial(self._log_prices, prices)
        keys = zip(realised["coin"].to_pylist(), origin.tolist(), realised["horizon_min"].to_pylist(), strict=True)
        for row, (coin, origin_ms, horizon) in enumerate(keys):
            moves[row] = self._benchmark.quantiles(coin, origin_ms, history)[HORIZONS_MIN.index(horizon)]
        known = np.isfinite(moves[:, 0])
        realised, moves, origin = realised.filter(pa.array(known)), moves[known], origin[known]
        price_origin = realised["price_origin"].to_numpy()
        high, low = _extremes(realised, prices)
        terms = loss_terms(
            price_origin=price_origin,
            quantiles=np.stack([realised[name].to_numpy() for name in QUANTILE_COLUMNS], axis=1),
            naive=price_origin[:, None] * np.exp(moves),
            mean=realised["mean"].to_numpy(),
            p_up=realised["p_up"].to_numpy(),
            reach=np.stack([realised[name].to_numpy() for name in REACH_COLUMNS], axis=1).astype(np.float64),
            is_model=np.array([current_kind(kind) == KIND_MODEL for kind in realised["kind"].to_pylist()], dtype=bool),
            actual=realised["price_actual"].to_numpy(),
            high=high,
            low=low,
        )
        hour = pa.array(origin - origin % HOUR_MS).cast(SCORE_SCHEMA.field("hour").type)
        columns = {"coin": realised["coin"], "hour": hour, "horizon_min": realised["horizon_min"], **terms}
        return pa.table(columns, schema=SCORE_SCHEMA)

    def _log_prices(self, prices: Prices, coin: str, until_ms: int) -> FloatArray:
        """Log prices on the 5-minute grid over the 14 days up to `until_ms`, NaN in gaps."""
        self._busy()
        last = until_ms - until_ms % GRID_STEP_MS
        grid = last + GRID_STEP_MS * np.arange(1 - HISTORY_POINTS, 1)
        known = prices.thinned(coin, int(grid[0]) - 2 * GRID_STEP_MS, last + 1)
        raw = RawPrices()
        raw.append(0, [ts_ms for ts_ms, _ in known], [price for _, price in known])
        return np.asarray(np.log(raw.as_of(0, grid)[0]))


def targets_ms(rows: pa.Table) -> IntArray:
    """Origin plus horizon of rows of FORECAST_SCHEMA, in UTC milliseconds."""
    return np.asarray(origins_ms(rows) + rows["horizon_min"].to_numpy().astype(np.int64) * MINUTE_MS)


def _extremes(realised: pa.Table, prices: Prices) -> tuple[FloatArray, FloatArray]:
    """Highest and lowest stored prices after each origin up to its target; NaN without any."""
    origin, target = origins_ms(realised), targets_ms(realised)
    high, low = np.full(len(origin), np.nan), np.full(len(origin), np.nan)
    places: dict[str, list[int]] = {}
    for place, coin in enumerate(realised["coin"].to_pylist()):
        places.setdefault(coin, []).append(place)
    starts = {coin: int(origin[rows].min()) + 1 for coin, rows in places.items()}
    for coin, known in prices.since(starts, int(target.max(initial=0))).items():
        rows = places[coin]
        times, values = [ts_ms for ts_ms, _ in known], [price for _, price in known]
        high[rows], low[rows] = realised_extremes(times, values, origin[rows], target[rows])
    return high, low
