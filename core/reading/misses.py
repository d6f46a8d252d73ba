"""The worst misses: one-hour forecasts whose outcome fell farthest outside their 80 % interval."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from core.publishing.file_cache import kept_of_files
from core.publishing.parquet import read_table
from core.reading.queries import newest_parts
from core.reading.readers import MAX_SCORE_ROWS, Readers
from core.reading.values import LoggedForecast
from core.times import HOUR_MS

__all__ = ["distance_outside", "worst_hours", "worst_misses"]

_HOUR_MIN: Final = 60
_COLUMNS: Final = ("coin", "hour", "horizon_min", "width_80", "winkler_80")
_CANDIDATES: Final = 24
_FORECASTS_OF_HOUR: Final = 12

_Hour = tuple[float, str, int]


def worst_misses(readers: Readers, coin_id: str | None, count: int) -> list[LoggedForecast]:
    """The worst forecast of the worst hours, the worst first and each coin once, unless only one is asked for.

    Raises:
        NotReady: nothing is published yet.
    """
    folder, manifest = readers.manifest()
    parts = newest_parts(manifest.parts.get("scores", ()), MAX_SCORE_ROWS)

    def find() -> list[LoggedForecast]:
        hours = sorted((hour for part in parts for hour in _worst_of_file(folder / part.file, coin_id)), reverse=True)
        chosen = {(coin if coin_id is None else start_ms): (coin, start_ms) for _, coin, start_ms in reversed(hours)}
        found = [_worst_of_hour(readers, coin, start_ms) for coin, start_ms in list(chosen.values())[::-1][:count]]
        return sorted((miss for miss in found if miss is not None), key=distance_outside, reverse=True)

    return readers.cached(f"misses {coin_id} {count}", (folder, tuple(parts)), find)


def distance_outside(forecast: LoggedForecast) -> float:
    """How far the outcome lies outside the 80 % interval, in widths of it; 0 inside or while it is unknown."""
    width = forecast.high_80 - forecast.low_80
    if forecast.actual is None or width <= 0:
        return 0.0
    return max(forecast.low_80 - forecast.actual, forecast.actual - forecast.high_80, 0.0) / width


def worst_hours(scores: pa.Table, count: int) -> list[_Hour]:
    """Coins and hours whose forecasts of one hour ahead missed most.

    Args:
        scores: rows of SCORE_SCHEMA. The Winkler score of an 80 % interval exceeds its width by ten times the distance
            of the outcome outside it.
        count: how many at most.

    Returns:
        Excess in widths, coin, and start of the hour in UTC milliseconds, the worst first; hours without a miss are
        left out.
    """
    horizon, width, winkler = (scores[name].to_numpy() for name in ("horizon_min", "width_80", "winkler_80"))
    excess = np.divide(winkler - width, width, out=np.zeros(len(width)), where=(width > 0) & (horizon == _HOUR_MIN))
    order = np.argsort(-excess, kind="stable")[:count]
    chosen = scores.take(pa.array(order[excess[order] > 0]))
    starts = chosen["hour"].cast(pa.int64()).to_pylist()
    return list(zip(excess[order].tolist(), chosen["coin"].to_pylist(), starts, strict=False))


@kept_of_files(512)
def _worst_of_file(path: Path, coin_id: str | None) -> tuple[_Hour, ...]:
    """The worst hours in one published file of scores; cached, because files never change."""
    return tuple(worst_hours(read_table(path, _COLUMNS, coin_id), _CANDIDATES))


def _worst_of_hour(readers: Readers, coin_id: str, start_ms: int) -> LoggedForecast | None:
    logged = readers.logged(coin_id, start_ms, start_ms + HOUR_MS - 1, _FORECASTS_OF_HOUR)
    missed = [forecast for forecast in logged if distance_outside(forecast) > 0]
    return max(missed, key=distance_outside, default=None)
