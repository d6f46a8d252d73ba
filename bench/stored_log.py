"""A log of forecasts for benchmarks, as a pipeline that has run for days leaves it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from core.forecast_schema import FORECAST_SCHEMA, REACH_LEVELS
from core.price_store import Coin
from core.publishing.parquet import sorted_by
from core.publishing.publisher import Publisher
from core.times import DAY_MS, GRID_STEP_MS
from etl.features.targets import STEPS
from model.forecaster.calibration import LEVELS
from model.forecaster.forecasts import Forecasts, quantile_prices
from model.scoring.scorer_state import ScoreState

__all__ = ["store_log"]


def store_log(folder: Path, coins: Sequence[Coin], days: int, end_ms: int) -> None:
    """Publish `days` whole days of forecasts before the day of `end_ms`, all of them scored.

    One part a day, one forecast per coin and 5-minute slot.
    """
    if not days:
        return
    publisher = Publisher(folder)
    last_day = end_ms // DAY_MS - 1
    for day in range(last_day - days, last_day):
        origins = day * DAY_MS + np.arange(0, DAY_MS, GRID_STEP_MS) + 20_000
        table = _forecasts(coins, origins).to_table("0", int(origins[-1]), "demo")
        publisher.publish({}, {"log": (int(origins[0]), int(origins[-1]), table)})
        while publisher.compact("log", end_ms, sorted_by("coin", "origin", "horizon_min")):
            pass
    seen = ScoreState({coin.id: int(origins[-1]) for coin in coins})
    publisher.publish({"score_state": seen.to_table(FORECAST_SCHEMA.empty_table())})


def _forecasts(coins: Sequence[Coin], origins: npt.NDArray[np.int64]) -> Forecasts:
    count = len(coins) * len(origins)
    price = np.full((count, STEPS), 100.0)
    quantiles = quantile_prices(price, np.full((count, STEPS, len(LEVELS)), 0.001) * np.arange(1, len(LEVELS) + 1))
    return Forecasts(
        coins=[coin.id for coin in coins for _ in origins],
        origin_ms=np.tile(origins, len(coins)),
        price_origin=price[:, 0],
        mean=price,
        quantiles=quantiles,
        p_up=np.full((count, STEPS), 0.5),
        reach=np.tile(0.001 * np.arange(1, len(REACH_LEVELS) + 1), (count, STEPS, 1)),
        activity_percentile=np.full(count, 50.0),
        is_model=np.zeros(count, dtype=bool),
        baseline_quantiles=quantiles,
        baseline_reach=np.zeros((count, STEPS, len(REACH_LEVELS))),
        model_quantiles=quantiles,
    )
