"""Walk forward through a recording: at each origin the engine knows what was known then, and nothing later."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from core.times import DAY_MS, HOUR_MS, MINUTE_MS
from etl.arrays import IntArray
from etl.recordings.recording import PriceHistory
from model.forecaster.engine import EngineOptions, ForecastEngine
from model.forecaster.forecasts import Forecasts
from model.forecaster.prior import Prior

__all__ = ["WalkOptions", "origins", "walk_engine", "walk_forward"]

_WARM_UP_DAYS: Final = 2
"""Days before the training window that are fed too, so that slow averages and the first calibration have settled."""


@dataclass(frozen=True)
class WalkOptions:
    """When forecasts are made and models refitted.

    Attributes:
        start_ms, end_ms: bounds of the origins; None leaves them to the data.
        step_min: origins lie on multiples of so many minutes in UTC.
        refit_min: minutes between two refits.
        min_history_hours: a coin is forecast once its prices go back so far.
        at_ms: origins within these bounds, in order, instead of every `step_min` minutes.
    """

    start_ms: int | None = None
    end_ms: int | None = None
    step_min: int = 30
    refit_min: int = 360
    min_history_hours: float = 24.0
    at_ms: tuple[int, ...] | None = None


def origins(recording: PriceHistory, options: WalkOptions) -> IntArray:
    """Times of the forecasts (n,): from the first coin's minimal history to the last price."""
    first = min(int(ts[0]) for ts, _ in recording.values()) + int(options.min_history_hours * HOUR_MS)
    last = max(int(ts[-1]) for ts, _ in recording.values())
    step = options.step_min * MINUTE_MS
    start = first if options.start_ms is None else max(first, options.start_ms)
    end = last if options.end_ms is None else min(last, options.end_ms)
    if options.at_ms is not None:
        return np.array([at for at in options.at_ms if start <= at <= end], dtype=np.int64)
    return np.arange(-(-start // step) * step, end + 1, step, dtype=np.int64)


def walk_forward(
    recording: PriceHistory, options: WalkOptions, engine_options: EngineOptions, prior: Prior | None
) -> Iterator[Forecasts]:
    """Yield the forecasts of each origin, of the coins that have the minimal history and a price there."""
    return (forecasts for forecasts, _ in walk_engine(recording, options, ForecastEngine(engine_options, prior)))


def walk_engine(
    recording: PriceHistory, options: WalkOptions, engine: ForecastEngine
) -> Iterator[tuple[Forecasts, ForecastEngine]]:
    """Yield the forecasts of each origin with the engine as it is there.

    The engine is fed price by price as time goes by, so it cannot look ahead; models are refitted at the first origin
    and whenever `refit_min` have passed.
    """
    times = origins(recording, options)
    if not len(times):
        return
    since_ms = int(times[0]) - (engine.options.train_days + _WARM_UP_DAYS) * DAY_MS
    fed = {coin: int(np.searchsorted(ts, since_ms)) for coin, (ts, _) in recording.items()}
    first_ms = {coin: int(ts[0]) + int(options.min_history_hours * HOUR_MS) for coin, (ts, _) in recording.items()}
    refit_ms: int | None = None
    for origin_ms in times.tolist():
        for coin, (ts, price) in recording.items():
            upto = int(np.searchsorted(ts, origin_ms, side="right"))
            if upto > fed[coin]:
                engine.grid.observe(coin, ts[fed[coin] : upto], price[fed[coin] : upto])
                fed[coin] = upto
        engine.advance(origin_ms)
        if refit_ms is None or origin_ms - refit_ms >= options.refit_min * MINUTE_MS:
            engine.refit(origin_ms)
            refit_ms = origin_ms
        yield engine.forecast({coin: origin_ms for coin in recording if first_ms[coin] <= origin_ms}), engine
