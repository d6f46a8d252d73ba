"""Walking forward through a recording: at each origin the engine knows what was known, and nothing later."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from core.forecast_schema import HORIZONS_MIN, KIND_BASELINE, KIND_MODEL, QUANTILE_COLUMNS
from core.realised_price import PRICE_TOLERANCE_MS
from core.times import DAY_MS, GRID_STEP_MS, HOUR_MS, MINUTE_MS
from etl.arrays import FloatArray, IntArray
from etl.features.raw_prices import RawPrices
from etl.recordings.recording import PriceHistory
from model.forecaster.engine import EngineOptions, ForecastEngine
from model.forecaster.forecasts import Forecasts
from model.forecaster.prior import Prior
from model.scoring.naive_benchmark import YARDSTICK_POINTS, renewal_ms, yardstick_quantiles

__all__ = ["WalkOptions", "Yardsticks", "forecast_frame", "origins", "walk", "with_outcomes"]

_WARM_UP_DAYS: Final = 2
"""Days before the training window that are fed too, so that slow averages and the first calibration have settled."""


@dataclass(frozen=True)
class WalkOptions:
    """When forecasts are made and models refitted.

    `start_ms` and `end_ms` bound the origins (None: as the data allow); origins lie on multiples of `step_min` in UTC.
    """

    start_ms: int | None = None
    end_ms: int | None = None
    step_min: int = 30
    refit_min: int = 360
    min_history_hours: float = 24.0


def origins(recording: PriceHistory, options: WalkOptions) -> IntArray:
    """Return the moments at which forecasts are made: from the first coin's minimal history to the last price."""
    first = min(int(ts[0]) for ts, _ in recording.values()) + int(options.min_history_hours * HOUR_MS)
    last = max(int(ts[-1]) for ts, _ in recording.values())
    step = options.step_min * MINUTE_MS
    start = first if options.start_ms is None else max(first, options.start_ms)
    end = last if options.end_ms is None else min(last, options.end_ms)
    return np.arange(-(-start // step) * step, end + 1, step, dtype=np.int64)


def walk(
    recording: PriceHistory, options: WalkOptions, engine_options: EngineOptions, prior: Prior | None
) -> Iterator[Forecasts]:
    """Yield the forecasts of each origin, of the coins that have the minimal history and a price at that moment.

    The engine is fed price by price as time goes by, so it cannot look ahead; models are refitted at the first origin
    and whenever `refit_min` have passed.
    """
    moments = origins(recording, options)
    if not len(moments):
        return
    engine = ForecastEngine(engine_options, prior)
    since = int(moments[0]) - (engine_options.train_days + _WARM_UP_DAYS) * DAY_MS
    fed = {coin: int(np.searchsorted(ts, since)) for coin, (ts, _) in recording.items()}
    first_ms = {coin: int(ts[0]) + int(options.min_history_hours * HOUR_MS) for coin, (ts, _) in recording.items()}
    refit_ms: int | None = None
    for moment in moments.tolist():
        for coin, (ts, price) in recording.items():
            upto = int(np.searchsorted(ts, moment, side="right"))
            if upto > fed[coin]:
                engine.observe(coin, ts[fed[coin] : upto], price[fed[coin] : upto])
                fed[coin] = upto
        engine.advance(moment)
        if refit_ms is None or moment - refit_ms >= options.refit_min * MINUTE_MS:
            engine.refit(moment)
            refit_ms = moment
        yield engine.forecast({coin: moment for coin in recording if first_ms[coin] <= moment})


def forecast_frame(coins: list[str], made: list[Forecasts], *, published: bool = True) -> pd.DataFrame:
    """Return forecasts as rows of the forecast contract (without model_version, created_at and source).

    Those not `published` are the baseline's: the exponentially weighted spread around the last price.
    """
    steps = len(HORIZONS_MIN)
    names = np.concatenate([np.array([coins.index(coin) for coin in one.coins], dtype=np.int64) for one in made])
    quantiles = np.concatenate([one.quantiles if published else one.baseline_quantiles for one in made])
    price = np.concatenate([one.price_origin for one in made])
    is_model = np.concatenate([one.is_model for one in made]) & published
    mean = np.concatenate([one.mean for one in made]) if published else np.repeat(price[:, None], steps, axis=1)
    p_up = np.concatenate([one.p_up for one in made]) if published else np.full(mean.shape, 0.5)
    kinds = pd.Index([KIND_BASELINE, KIND_MODEL])
    return pd.DataFrame(
        {
            "coin": pd.Categorical.from_codes(np.repeat(names, steps), pd.Index(coins)),
            "origin": _moments(np.repeat(np.concatenate([one.origin_ms for one in made]), steps)),
            "horizon_min": np.tile(np.array(HORIZONS_MIN, dtype=np.int16), len(price)),
            "price_origin": np.repeat(price, steps),
            "mean": mean.ravel(),
            **{name: quantiles[..., n].ravel() for n, name in enumerate(QUANTILE_COLUMNS)},
            "p_up": p_up.ravel(),
            "kind": pd.Categorical.from_codes(np.repeat(is_model.astype(np.int64), steps), kinds),
        }
    )


def with_outcomes(frame: pd.DataFrame, recording: PriceHistory) -> pd.DataFrame:
    """Return the frame with `price_actual`: the last price at or before the target time, NaN where it is unknown.

    The rule is that of `realised_price.outcome_at`: not older than the tolerance, and only once the coin has a price
    from the target time on.
    """
    actual = np.full(len(frame), np.nan)
    target = _ms(frame["origin"]) + frame["horizon_min"].to_numpy(dtype=np.int64) * MINUTE_MS
    codes = frame["coin"].cat.codes.to_numpy()
    for code, coin in enumerate(frame["coin"].cat.categories):
        ts, price = recording[coin]
        rows = np.flatnonzero(codes == code)
        place = np.searchsorted(ts, target[rows], side="right") - 1
        known = (place >= 0) & (target[rows] <= ts[-1]) & (target[rows] - ts[place] <= PRICE_TOLERANCE_MS)
        actual[rows[known]] = price[place[known]]
    return frame.assign(price_actual=actual)


class Yardsticks:
    """The yardstick "the price stays, spread as over the last 14 days" at every coin and origin of a recording."""

    def __init__(self, recording: PriceHistory) -> None:
        self._coins = list(recording)
        raw = RawPrices()
        start = min(int(ts[0]) for ts, _ in recording.values())
        end = max(int(ts[-1]) for ts, _ in recording.values())
        self._grid = np.arange(start - start % GRID_STEP_MS, end + 1, GRID_STEP_MS)
        for column, (ts, price) in enumerate(recording.values()):
            raw.append(column, ts, price)
        self._log_price = np.log(raw.as_of(np.arange(len(recording)), self._grid[:, None])[0])

    def frame(self, forecasts: pd.DataFrame) -> pd.DataFrame:
        """Return rows like those of `forecasts` (coin, origin, horizon_min, …) with the yardstick's quantiles as
        prices.
        """
        steps = len(HORIZONS_MIN)
        head = forecasts[["coin", "origin", "horizon_min", "price_origin"]].reset_index(drop=True)
        renewals = np.array([renewal_ms(moment) for moment in _ms(head["origin"])[::steps].tolist()], dtype=np.int64)
        codes = head["coin"].cat.codes.to_numpy()[::steps]
        pairs, place = np.unique(np.stack([codes, renewals]), axis=1, return_inverse=True)
        quantiles = np.stack([self._at(int(code), int(moment)) for code, moment in pairs.T])[place.ravel()]
        prices = head["price_origin"].to_numpy()[:, None] * np.exp(quantiles.reshape(-1, len(QUANTILE_COLUMNS)))
        return head.assign(**{name: prices[:, n] for n, name in enumerate(QUANTILE_COLUMNS)})

    def _at(self, column: int, moment: int) -> FloatArray:
        upto = int(np.searchsorted(self._grid, moment, side="right"))
        return yardstick_quantiles(self._log_price[max(upto - YARDSTICK_POINTS, 0) : upto, column])


def _moments(ts_ms: IntArray) -> pd.Series:
    return pd.Series(ts_ms.astype("datetime64[ms]")).dt.tz_localize("UTC")


def _ms(moments: pd.Series) -> IntArray:
    return np.asarray(moments.dt.as_unit("ms").astype("int64").to_numpy(), dtype=np.int64)
