"""Walk-forward over recorded prices: at each origin the live engine knows what came before it and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.contract import QUANTILE_COLUMNS
from core.outcomes import PRICE_TOLERANCE_MS
from core.times import DAY_MS, HOUR_MS, MINUTE_MS
from model.engine import EngineOptions, ForecastEngine
from model.prior import Prior
from model.recording import Recording

__all__ = ["FORECAST_COLUMNS", "Walk", "actual_prices", "add_outcomes", "walk_forward"]

FORECAST_COLUMNS: Final = (
    "coin", "origin", "horizon_min", "price_origin", "mean", *QUANTILE_COLUMNS, "p_up", "kind", "price_actual",
)  # fmt: skip

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Walk:
    """How to walk: origins every `step_min` from `start_ms` to `end_ms`, a refit every `refit_min`.

    A coin is forecast from `min_history_hours` after its first price on, while its newest price is not older than the
    tolerance of `core.outcomes`. The engine is fed from two training windows before the start, so that its
    calibration has been lived through as in a suite that has run for weeks.
    """

    start_ms: int
    end_ms: int
    step_min: int = 30
    refit_min: int = 360
    min_history_hours: float = 24.0

    def origins(self) -> range:
        """The moments at which forecasts are made."""
        return range(self.start_ms, self.end_ms + 1, self.step_min * MINUTE_MS)

    @staticmethod
    def over(recording: Recording, min_history_hours: float) -> tuple[int, int]:
        """The longest possible walk: from the first full hour at which a coin has enough history to the last price."""
        first = min(int(ts_ms[0]) for ts_ms, _ in recording.values()) + round(min_history_hours * HOUR_MS)
        last = max(int(ts_ms[-1]) for ts_ms, _ in recording.values())
        return -(-first // HOUR_MS) * HOUR_MS, last


def walk_forward(
    recording: Recording,
    walk: Walk,
    options: EngineOptions,
    prior: Prior | None,
    progress: Callable[[Iterator[int], int], Iterator[int]] = lambda origins, _: origins,
) -> pd.DataFrame:
    """Forecast at every origin with the engine of the live loop; FORECAST_COLUMNS, one row per coin and horizon.

    Deterministic for the seed in `options`, whatever `n_jobs`. `progress` may wrap the origins, (iterator, count).
    """
    engine = ForecastEngine(options, prior)
    fed_from = walk.start_ms - 2 * options.train_days * DAY_MS
    position = {coin: int(np.searchsorted(ts_ms, fed_from)) for coin, (ts_ms, _) in recording.items()}
    refit_ms: int | None = None
    parts = []
    origins = walk.origins()
    for moment in progress(iter(origins), len(origins)):
        for coin, (ts_ms, price) in recording.items():
            end = int(np.searchsorted(ts_ms, moment, side="right"))
            if end > position[coin]:
                engine.observe(coin, ts_ms[position[coin] : end], price[position[coin] : end])
                position[coin] = end
        engine.advance(moment)
        if refit_ms is None or moment - refit_ms >= walk.refit_min * MINUTE_MS:
            engine.refit(moment)
            refit_ms = moment
        known = _forecastable(recording, moment, walk.min_history_hours)
        if known:
            parts.append(engine.forecast(known).to_table("backtest", moment, "backtest"))
    frame = pd.concat([part.to_pandas() for part in parts], ignore_index=True) if parts else _empty()
    return add_outcomes(frame, recording)[list(FORECAST_COLUMNS)]


def add_outcomes(frame: pd.DataFrame, recording: Recording) -> pd.DataFrame:
    """`frame` with `price_actual` by the rule of `core.outcomes.outcome_at`; NaN where the outcome is unknown."""
    origin_ms = frame["origin"].dt.as_unit("ms").astype("int64").to_numpy()
    target_ms = origin_ms + frame["horizon_min"].to_numpy(dtype=np.int64) * MINUTE_MS
    coins = frame["coin"].to_numpy(dtype=object)
    actual = np.full(len(frame), np.nan)
    for coin, (ts_ms, price) in recording.items():
        mine = np.flatnonzero(coins == coin)
        actual[mine] = actual_prices(ts_ms, price, target_ms[mine])
    return frame.assign(price_actual=actual)


def actual_prices(ts_ms: IntArray, price: FloatArray, target_ms: IntArray) -> FloatArray:
    """Outcomes at many targets: the last price at or before each, if fresh enough and no longer open."""
    index = np.searchsorted(ts_ms, target_ms, side="right") - 1
    found = np.maximum(index, 0)
    settled = (index >= 0) & (target_ms - ts_ms[found] <= PRICE_TOLERANCE_MS) & (target_ms <= ts_ms[-1])
    return np.where(settled, price[found], np.nan)


def _forecastable(recording: Recording, moment: int, min_history_hours: float) -> Mapping[str, int]:
    """Coin → event time of its newest price, of those with enough history and a fresh price."""
    known = {}
    for coin, (ts_ms, _) in recording.items():
        index = int(np.searchsorted(ts_ms, moment, side="right")) - 1
        if index < 0 or moment - ts_ms[0] < min_history_hours * HOUR_MS:
            continue
        if moment - ts_ms[index] <= PRICE_TOLERANCE_MS:
            known[coin] = int(ts_ms[index])
    return known


def _empty() -> pd.DataFrame:
    frame = pd.DataFrame({name: pd.Series(dtype="float64") for name in FORECAST_COLUMNS})
    frame["origin"] = pd.to_datetime(frame["origin"], utc=True)
    return frame.assign(coin=frame["coin"].astype(str), kind=frame["kind"].astype(str), horizon_min=0, price_actual=0.0)
