"""The newest forecasts as values, each made when it is first asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from core.forecast_schema import ACTIVITY_PERCENTILE, QUANTILE_COLUMNS, REACH_COLUMNS, current_kind
from core.publishing.parquet import read_table
from core.reading.values import ForecastStep, ForecastView
from core.times import MINUTE_MS

__all__ = ["ForecastViews", "read_forecasts"]


class ForecastViews(Mapping[str, ForecastView]):
    """Coin → its newest forecast, horizons in order.

    Args:
        table: rows of FORECAST_SCHEMA.
        trained_ms: when the model was trained.
    """

    def __init__(self, table: pa.Table, trained_ms: int | None) -> None:
        self._table = table
        self._trained_ms = trained_ms
        self._made: dict[str, ForecastView] = {}
        coins = table["coin"].combine_chunks().dictionary_encode()
        number = coins.indices.to_numpy()
        ends = np.cumsum(np.bincount(number, minlength=len(coins.dictionary)))
        rows = np.split(np.argsort(number, kind="stable"), ends[:-1])
        self._rows = dict(zip(coins.dictionary.to_pylist(), rows, strict=False))

    def __getitem__(self, coin: str) -> ForecastView:
        view = self._made.get(coin)
        if view is None:
            rows = self._table.take(pa.array(self._rows[coin])).to_pylist()
            view = self._made[coin] = _forecast_view(rows, self._trained_ms)
        return view

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)


def read_forecasts(path: Path) -> ForecastViews:
    """The newest forecast of every coin, from the published table."""
    table = read_table(path)
    trained = (table.schema.metadata or {}).get(b"trained_ms")
    return ForecastViews(table, int(trained) if trained else None)


def _forecast_view(rows: list[dict[str, Any]], trained_ms: int | None) -> ForecastView:
    first = rows[0]
    origin_ms = _milliseconds(first["origin"])
    steps = tuple(
        ForecastStep(
            row["horizon_min"],
            origin_ms + row["horizon_min"] * MINUTE_MS,
            row["mean"],
            row["p_up"],
            {column: row[column] for column in QUANTILE_COLUMNS},
            _reach(row),
        )
        for row in sorted(rows, key=lambda row: row["horizon_min"])
    )
    return ForecastView(
        coin_id=first["coin"],
        origin_ms=origin_ms,
        price_origin=first["price_origin"],
        steps=steps,
        kind=current_kind(first["kind"]),
        model_version=first["model_version"],
        trained_ms=trained_ms,
        created_ms=_milliseconds(first["created_at"]),
        source=first["source"],
        activity_percentile=first.get(ACTIVITY_PERCENTILE),
    )


def _reach(row: dict[str, Any]) -> tuple[float, ...] | None:
    values = [value for column in REACH_COLUMNS if (value := row.get(column)) is not None]
    return tuple(values) if len(values) == len(REACH_COLUMNS) else None


def _milliseconds(time: datetime) -> int:
    return round(time.timestamp() * 1000)
