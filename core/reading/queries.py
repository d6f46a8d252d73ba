"""Turn stored rows into the values of core/reading/values.py."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from core.accuracy.scores import hours_before
from core.accuracy.summary import CondensedScores, condense
from core.answers.distribution import PriceDistribution
from core.answers.scenarios import ScaledHours
from core.files import file_stamp
from core.forecast_schema import (
    LOGGED_COLUMNS,
    QUANTILE_COLUMNS,
    SCALED_MOVE_COLUMNS,
)
from core.publishing.file_cache import kept_of_files
from core.publishing.manifest import Part
from core.publishing.parquet import read_table
from core.reading.values import FileInfo, LoggedForecast
from core.realised_price import realised_prices
from core.times import FOREVER_MS, MINUTE_MS

__all__ = [
    "backtest_rows",
    "condensed_scores",
    "join_outcomes",
    "log_part",
    "log_rows",
    "nearest_forecast",
    "newest_parts",
    "parts_between",
    "scaled_hours",
    "table_info",
]

_DISTRIBUTION_COLUMNS: Final = ("coin", "origin", "horizon_min", "price_origin", *QUANTILE_COLUMNS)
_HOUR_MIN: Final = 60


def parts_between(parts: Iterable[Part], start_ms: int, end_ms: int) -> list[Part]:
    """Select the parts that may hold times within [start_ms, end_ms], latest first."""
    chosen = [part for part in parts if part.start_ms <= end_ms and part.end_ms >= start_ms]
    return sorted(chosen, key=lambda part: part.end_ms, reverse=True)


def newest_parts(parts: Iterable[Part], max_rows: int) -> list[Part]:
    """Select the latest parts with at most `max_rows` rows together, but at least one part; earliest first."""
    chosen: list[Part] = []
    for part in sorted(parts, key=lambda part: part.end_ms, reverse=True):
        max_rows -= part.rows
        if chosen and max_rows < 0:
            break
        chosen.append(part)
    return chosen[::-1]


@kept_of_files(256)
def condensed_scores(path: Path, before_ms: int = FOREVER_MS) -> CondensedScores:
    """What a published file of scores says of the hours before a time; cached, because files never change."""
    return condense(hours_before(read_table(path), before_ms))


@kept_of_files(2048)
def log_part(
    path: Path, level: str, coin_id: str, horizon_min: int, columns: tuple[str, ...] = LOGGED_COLUMNS
) -> pa.Table:
    """The rows of one coin and horizon in a part of the log, origins in UTC milliseconds.

    Cached, because parts never change: a day has about 290 rows, an hour twelve, a slot one.
    """
    if level == "day":
        return _one_horizon(read_table(path, columns, coin_id), horizon_min)
    table = _rows_of_horizon(path, horizon_min, columns)
    return table.filter(pc.equal(table["coin"], coin_id))


def log_rows(
    path: Path, part: Part, coin_id: str, horizon_min: int, columns: tuple[str, ...] = LOGGED_COLUMNS
) -> list[dict[str, Any]]:
    """Read the rows of one coin and horizon from one part of the log, newest origin first.

    Origins are in UTC milliseconds.
    """
    table = log_part(path, part.level, coin_id, horizon_min, columns)
    return sorted(table.to_pylist(), key=lambda row: row["origin"], reverse=True)


def backtest_rows(path: Path, coin_id: str) -> list[dict[str, Any]]:
    """The backtest's forecasts of one hour ahead for one coin, newest origin first, as `log_rows` gives them."""
    return sorted(log_part(path, "day", coin_id, _HOUR_MIN).to_pylist(), key=lambda row: row["origin"], reverse=True)


def join_outcomes(
    rows: Sequence[dict[str, Any]], known: Sequence[tuple[int, float]], newest_ms: int
) -> list[LoggedForecast]:
    """Add the realised prices to rows of `log_rows`.

    Args:
        rows: origins in UTC milliseconds.
        known: event times in UTC milliseconds and prices, in increasing order of time.
        newest_ms: event time of the coin's newest price.
    """
    times, values = [ts_ms for ts_ms, _ in known], [price for _, price in known]
    targets = [row["origin"] + row["horizon_min"] * MINUTE_MS for row in rows]
    actual = realised_prices(times, values, targets, newest_ms).tolist()
    return [
        LoggedForecast(
            coin_id=row["coin"],
            origin_ms=row["origin"],
            target_ms=target_ms,
            price_origin=row["price_origin"],
            mean=row["mean"],
            low_80=row["q10"],
            high_80=row["q90"],
            actual=None if math.isnan(price) else price,
        )
        for row, target_ms, price in zip(rows, targets, actual, strict=True)
    ]


def nearest_forecast(
    folder: Path, parts: Iterable[Part], coin_id: str, span_ms: tuple[int, int]
) -> PriceDistribution | None:
    """The logged forecast of one hour ahead whose origin is nearest to the middle of a span; None if none is within."""
    start_ms, end_ms = span_ms
    rows = [
        row
        for part in parts_between(parts, start_ms, end_ms)
        for row in log_rows(folder / part.file, part, coin_id, _HOUR_MIN, _DISTRIBUTION_COLUMNS)
        if start_ms <= row["origin"] <= end_ms
    ]
    if not rows:
        return None
    nearest = min(rows, key=lambda row: abs(2 * row["origin"] - start_ms - end_ms))
    return PriceDistribution.of_prices(nearest["price_origin"], [nearest[column] for column in QUANTILE_COLUMNS])


def scaled_hours(table: pa.Table, start_ms: int) -> dict[str, ScaledHours]:
    """Group the rows of SCALED_HOURS_SCHEMA from `start_ms` on by coin, origins in order."""
    table = table.sort_by([("coin", "ascending"), ("origin", "ascending")])
    origins_ms = table["origin"].cast(pa.int64()).to_numpy()
    moves = np.column_stack([table[column].to_numpy() for column in SCALED_MOVE_COLUMNS])
    runs = pc.run_end_encode(table["coin"].combine_chunks())
    hours = {}
    for coin, (first, end) in zip(runs.values.to_pylist(), pairwise([0, *runs.run_ends.to_pylist()]), strict=True):
        newer = first + np.searchsorted(origins_ms[first:end], start_ms)
        hours[coin] = ScaledHours(origins_ms[newer:end], moves[newer:end])
    return hours


def table_info(folder: Path, name: str, files: Sequence[tuple[str, int]]) -> FileInfo:
    """Size and age of a published table; `files` names each of its files with its rows."""
    stamps = [file_stamp(folder / file) for file, _ in files]
    updated_ms = max((modified_ns for _, modified_ns, _ in stamps), default=0) // 1_000_000
    return FileInfo(
        name, len(files), sum(rows for _, rows in files), sum(size for *_, size in stamps), updated_ms or None
    )


@kept_of_files(24)
def _rows_of_horizon(path: Path, horizon_min: int, columns: tuple[str, ...]) -> pa.Table:
    """One horizon in a slot or hour of the log; cached, because parts never change."""
    return _one_horizon(read_table(path, columns), horizon_min)


def _one_horizon(table: pa.Table, horizon_min: int) -> pa.Table:
    rows = table.filter(pc.equal(table["horizon_min"], horizon_min))
    origins = rows["origin"].cast(pa.int64())
    return rows.set_column(rows.schema.get_field_index("origin"), "origin", origins)
