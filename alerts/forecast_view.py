"""Published forecasts, their log and their scores as columns; loaded only where some rule asks for them (pyarrow)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import pyarrow as pa

from alerts.conditions.views import CoverageView, ForecastView, Times
from core.accuracy.scores import sum_by
from core.answers.curves import FloatArray
from core.publishing.parquet import read_table
from core.reading.forecast_columns import ForecastColumns, forecast_columns, logged_hours
from core.reading.queries import parts_between
from core.reading.readers import Readers
from core.times import DAY_MS, HOUR_MS

__all__ = ["coverage_view", "forecast_view", "hours_before", "view_of"]

_HOUR_MIN: Final = 60
_MIN_FORECASTS: Final = 144
"""With fewer scored forecasts, which half a day has, nothing is said of the coverage."""

_SUMS: Final = ("n", "inside_80")


def forecast_view(readers: Readers, places: Mapping[str, int], since_ms: int) -> ForecastView:
    """The newest forecasts of the coins that have a place, but for those with an origin before `since_ms`.

    Raises:
        NotReady: no forecasts are published yet.
    """
    return view_of(forecast_columns(readers), places, since_ms)


def view_of(forecasts: ForecastColumns, places: Mapping[str, int], since_ms: int) -> ForecastView:
    """Forecasts since then of the coins that have a place."""
    has_place = np.array([coin in places for coin in forecasts.coins], np.bool_)
    rows = np.flatnonzero(has_place & (forecasts.origin_ms >= since_ms))
    price = forecasts.price_origin[rows]
    return ForecastView(
        places=np.array([places[forecasts.coins[row]] for row in rows], np.int64),
        at_ms=forecasts.origin_ms[rows],
        price=price,
        log_quantiles=np.log(forecasts.quantiles[rows] / price[:, None, None]),
        reach=forecasts.reach[rows],
        expected_move=forecasts.expected_move(_HOUR_MIN)[rows],
        band_80=forecasts.band_80(_HOUR_MIN)[rows],
        activity_percentile=forecasts.activity_percentile[rows],
    )


def hours_before(readers: Readers, coins: Sequence[str], origins_ms: Times) -> tuple[FloatArray, FloatArray]:
    """Price at the origin (n,) and quantiles (n, 9) of the one-hour forecasts logged nearest to some origins."""
    hours = logged_hours(readers, list(coins), origins_ms)
    return hours.price_origin, hours.quantiles


def coverage_view(readers: Readers, coins: Sequence[str], now: int) -> CoverageView:
    """Coverage of the one-hour forecasts whose origins lie within the last 24 hours, by coin and all together.

    Raises:
        NotReady: nothing is published yet.
    """
    folder, manifest = readers.manifest()
    since_ms = (now - DAY_MS) // HOUR_MS * HOUR_MS
    parts = parts_between(manifest.parts.get("scores", ()), since_ms, now)
    tables = [read_table(folder / part.file, ["coin", "hour", "horizon_min", *_SUMS]) for part in parts]
    sums = dict.fromkeys(coins, (0.0, 0.0))
    if tables:
        rows = pa.concat_tables(tables)
        recent = rows["hour"].cast(pa.int64()).to_numpy() >= since_ms
        wanted = rows.filter(pa.array(recent & (rows["horizon_min"].to_numpy() == _HOUR_MIN)))
        by_coin = sum_by(wanted, ("coin",), _SUMS)
        sums |= dict(
            zip(
                by_coin["coin"].to_pylist(),
                zip(*(by_coin[name].to_pylist() for name in _SUMS), strict=True),
                strict=True,
            )
        )
    made, inside = (np.array([sums[coin][column] for coin in coins]) for column in range(2))
    made, inside = np.append(made, made.sum()), np.append(inside, inside.sum())
    coverage = np.where(made >= _MIN_FORECASTS, 100 * inside / np.maximum(made, 1), np.nan)
    places = np.arange(len(coins) + 1)
    return CoverageView(places, np.full(len(places), now, np.int64), coverage, made)
