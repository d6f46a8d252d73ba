"""The newest forecasts of all coins as columns, for answers about many coins at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from core.answers.distribution import expected_moves
from core.answers.unusual import unusual_moves
from core.forecast_schema import (
    ACTIVITY_PERCENTILE,
    HORIZONS_MIN,
    INTERVALS,
    QUANTILE_COLUMNS,
    REACH_COLUMNS,
    current_kind,
)
from core.publishing.file_cache import kept_of_files
from core.publishing.manifest import Part
from core.publishing.parquet import read_table
from core.reading.queries import parts_between
from core.reading.readers import Readers
from core.times import GRID_STEP_MS, HOUR_MS

__all__ = [
    "ForecastColumns",
    "LastHours",
    "LoggedHours",
    "forecast_columns",
    "last_hours",
    "logged_hours",
    "read_columns",
]

_Floats = npt.NDArray[np.float64]
_Times = npt.NDArray[np.int64]

_HOUR_MIN: Final = HORIZONS_MIN[-1]


@dataclass(frozen=True)
class ForecastColumns:
    """The newest forecasts of n coins at the twelve horizons.

    Attributes:
        coins: their ids, in increasing order.
        origin_ms, created_ms: (n,) in UTC milliseconds.
        price_origin: (n,).
        mean, p_up: (n, 12).
        quantiles: prices (n, 12, 9).
        reach: (n, 12, 7), NaN when unknown.
        activity_percentile: (n,), NaN when unknown.
        kind, model_version, source: (n,) texts.
        trained_ms: when the model was trained; None when unknown.
    """

    coins: list[str]
    origin_ms: _Times
    created_ms: _Times
    price_origin: _Floats
    mean: _Floats
    p_up: _Floats
    quantiles: _Floats
    reach: _Floats
    activity_percentile: _Floats
    kind: list[str]
    model_version: list[str]
    source: list[str]
    trained_ms: int | None

    def expected_move(self, horizon_min: int) -> _Floats:
        """Expected absolute change of each price (n,) at one of the horizons, as a fraction of the price."""
        prices = self.quantiles[:, HORIZONS_MIN.index(horizon_min)]
        return expected_moves(np.log(prices / self.price_origin[:, None]))

    def interval(self, percent: int, horizon_min: int) -> tuple[_Floats, _Floats]:
        """Lower and upper prices (n,) of an interval at one of the horizons."""
        prices = self.quantiles[:, HORIZONS_MIN.index(horizon_min)]
        low, high = (prices[:, QUANTILE_COLUMNS.index(name)] for name in INTERVALS[percent])
        return low, high

    def band_80(self, horizon_min: int) -> _Floats:
        """Half the width (n,) of the 80 % interval at one of the horizons, as a fraction of the price."""
        low, high = self.interval(80, horizon_min)
        return (high - low) / (2 * self.price_origin)


@dataclass(frozen=True)
class LastHours:
    """The last hour of each of n coins as `core.answers.unusual.UnusualHour` has it; NaN when unknown."""

    change: _Floats
    percentile: _Floats
    probability: _Floats


@dataclass(frozen=True)
class LoggedHours:
    """Logged forecasts of one hour ahead, of n coins; NaN where there is none.

    Attributes:
        price_origin: (n,).
        quantiles: prices (n, 9).
    """

    price_origin: _Floats
    quantiles: _Floats


def forecast_columns(readers: Readers) -> ForecastColumns:
    """The newest forecasts of all coins, read once for each publication.

    Raises:
        NotReady: no forecasts are published yet.
    """
    path = readers.latest_file()
    return readers.cached("forecast columns", path, lambda: read_columns(read_table(path)))


def read_columns(table: pa.Table) -> ForecastColumns:
    """Columns of rows of FORECAST_SCHEMA, all horizons of each coin."""
    rows = table.sort_by([("coin", "ascending"), ("horizon_min", "ascending")])
    horizons = len(HORIZONS_MIN)
    firsts = rows.take(pa.array(np.arange(0, len(rows), horizons)))
    trained = (table.schema.metadata or {}).get(b"trained_ms")
    quantiles = np.stack([rows[name].to_numpy() for name in QUANTILE_COLUMNS], axis=-1)
    return ForecastColumns(
        coins=firsts["coin"].to_pylist(),
        origin_ms=firsts["origin"].cast(pa.int64()).to_numpy(),
        created_ms=firsts["created_at"].cast(pa.int64()).to_numpy(),
        price_origin=firsts["price_origin"].to_numpy(),
        mean=rows["mean"].to_numpy().reshape(-1, horizons),
        p_up=rows["p_up"].to_numpy().reshape(-1, horizons),
        quantiles=quantiles.reshape(-1, horizons, len(QUANTILE_COLUMNS)),
        reach=np.stack([_or_nan(rows, name) for name in REACH_COLUMNS], axis=-1).reshape(
            -1, horizons, len(REACH_COLUMNS)
        ),
        activity_percentile=_or_nan(firsts, ACTIVITY_PERCENTILE),
        kind=[current_kind(kind) for kind in firsts["kind"].to_pylist()],
        model_version=firsts["model_version"].to_pylist(),
        source=firsts["source"].to_pylist(),
        trained_ms=int(trained) if trained else None,
    )


def last_hours(readers: Readers, forecasts: ForecastColumns) -> LastHours:
    """How unusual the last hour of each coin was, by the forecast logged nearest to an hour before its newest one."""
    before = logged_hours(readers, forecasts.coins, forecasts.origin_ms - HOUR_MS)
    change = forecasts.price_origin / before.price_origin - 1.0
    known = np.flatnonzero(~np.isnan(change))
    percentile, probability = (np.full(len(change), np.nan) for _ in range(2))
    start, end = before.price_origin[known], forecasts.price_origin[known]
    log_quantiles, log_move = np.log(before.quantiles[known] / start[:, None]), np.log(end) - np.log(start)
    percentile[known], probability[known] = unusual_moves(log_quantiles, log_move)
    return LastHours(change, percentile, probability)


def logged_hours(readers: Readers, coins: list[str], moments_ms: _Times) -> LoggedHours:
    """The one-hour forecast of each of n coins that was logged nearest to a moment (n,), at most 5 minutes away."""
    price_origin, quantiles = np.full(len(coins), np.nan), np.full((len(coins), len(QUANTILE_COLUMNS)), np.nan)
    if len(coins):
        folder, manifest = readers.manifest()
        rows = _logged_near(folder, manifest.parts.get("log", ()), moments_ms)
        place, row = _nearest(rows, coins, moments_ms)
        quantiles[place] = np.stack([rows[name].to_numpy()[row] for name in QUANTILE_COLUMNS], axis=-1)
        price_origin[place] = rows["price_origin"].to_numpy()[row]
    return LoggedHours(price_origin, quantiles)


def _logged_near(folder: Path, parts: Iterable[Part], moments_ms: _Times) -> pa.Table:
    """Logged one-hour forecasts with origins in the hours around these moments."""
    first_ms = (int(moments_ms.min()) - GRID_STEP_MS) // HOUR_MS * HOUR_MS
    last_ms = (int(moments_ms.max()) + GRID_STEP_MS) // HOUR_MS * HOUR_MS + HOUR_MS - 1
    chosen = parts_between(parts, first_ms, last_ms)
    return pa.concat_tables(
        [_LOGGED.empty_table(), *(_hours_of(folder / part.file, first_ms, last_ms) for part in chosen)]
    )


_LOGGED: Final = pa.schema(
    [
        ("coin", pa.string()),
        *((name, pa.float64()) for name in ("price_origin", *QUANTILE_COLUMNS)),
        ("origin", pa.int64()),
    ]
)


@kept_of_files(64)
def _hours_of(path: Path, first_ms: int, last_ms: int) -> pa.Table:
    """One-hour forecasts in a part of the log within some hours; cached, because parts never change."""
    table = read_table(path, ["coin", "origin", "horizon_min", "price_origin", *QUANTILE_COLUMNS])
    origin = table["origin"].cast(pa.int64())
    inside = pc.and_(pc.greater_equal(origin, first_ms), pc.less_equal(origin, last_ms))
    wanted = pc.and_(inside, pc.equal(table["horizon_min"], _HOUR_MIN))
    return table.set_column(1, "origin", origin).filter(wanted).select(_LOGGED.names).cast(_LOGGED)


def _nearest(rows: pa.Table, coins: list[str], moments_ms: _Times) -> tuple[_Times, _Times]:
    """Places of the coins that have a row within a grid step of their moment, and the nearest row of each."""
    place = pc.fill_null(pc.index_in(rows["coin"], pa.array(coins, pa.string())), -1).to_numpy().astype(np.int64)
    origin_ms = rows["origin"].to_numpy()
    distance = np.abs(origin_ms - moments_ms[place])
    near = np.flatnonzero((place >= 0) & (distance <= GRID_STEP_MS))
    ordered = near[np.lexsort((-origin_ms[near], distance[near], place[near]))]
    found, first = np.unique(place[ordered], return_index=True)
    return found, ordered[first]


def _or_nan(rows: pa.Table, name: str) -> _Floats:
    """A column of numbers, NaN where it is null or where a file of version 0.1.0 lacks it."""
    if name not in rows.column_names:
        return np.full(len(rows), np.nan)
    return np.asarray(pc.fill_null(rows[name], np.nan).to_numpy(), dtype=np.float64)
