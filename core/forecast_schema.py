"""The forecast contract: horizons, quantiles, and the columns of a forecast row."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from core.forecast_levels import (
    COLUMN_OF_QUANTILE,
    HORIZONS_MIN,
    INTERVALS,
    QUANTILE_COLUMNS,
    QUANTILES,
    REACH_COLUMNS,
    REACH_LEVELS,
)

__all__ = [
    "ACTIVITY_PERCENTILE",
    "COLUMN_OF_QUANTILE",
    "FORECAST_SCHEMA",
    "HORIZONS_MIN",
    "INTERVALS",
    "KIND_BASELINE",
    "KIND_MODEL",
    "LOGGED_COLUMNS",
    "QUANTILES",
    "QUANTILE_COLUMNS",
    "REACH_COLUMNS",
    "REACH_LEVELS",
    "SCALED_HOURS_SCHEMA",
    "SCALED_MOVE_COLUMNS",
    "current_kind",
    "forecast_id",
]

ACTIVITY_PERCENTILE: Final = "activity_percentile"
"""Percent of the coin's own hours of the last 14 days for which a smaller move was predicted than now; may be null."""

KIND_MODEL: Final = "model"
KIND_BASELINE: Final = "baseline"
"""Which forecaster made a row: the learned model, or the EWMA baseline."""

_KIND_MODEL_0_1: Final = "forest"

_UTC_MS: Final = pa.timestamp("ms", tz="UTC")

FORECAST_SCHEMA: Final = pa.schema(
    [
        ("coin", pa.string()),
        ("origin", _UTC_MS),
        ("horizon_min", pa.int16()),
        ("price_origin", pa.float64()),
        ("mean", pa.float64()),
        *((column, pa.float64()) for column in QUANTILE_COLUMNS),
        ("p_up", pa.float64()),
        *((column, pa.float64()) for column in REACH_COLUMNS),
        (ACTIVITY_PERCENTILE, pa.float64()),
        ("kind", pa.string()),
        ("model_version", pa.string()),
        ("created_at", _UTC_MS),
        ("source", pa.string()),
    ]
)
"""One row per coin, origin and horizon. Prices in the workspace's currency; quantiles positive and monotone.

Rows of version 0.1.0 lack reach and activity: readers take them as null.
"""

LOGGED_COLUMNS: Final[tuple[str, ...]] = ("coin", "origin", "horizon_min", "price_origin", "mean", "q10", "q90")
"""The columns that say how a past forecast turned out: its 80 % interval and its mean."""

SCALED_MOVE_COLUMNS: Final[tuple[str, ...]] = tuple(f"move{horizon:02d}" for horizon in HORIZONS_MIN)

SCALED_HOURS_SCHEMA: Final = pa.schema(
    [("coin", pa.string()), ("origin", _UTC_MS), *((column, pa.float32()) for column in SCALED_MOVE_COLUMNS)]
)
"""What followed each half-hour: log moves from the origin to each horizon, in units of the scale predicted there.

One row per coin and half-hour on the UTC grid whose twelve outcomes are known.
"""


def forecast_id(source: str, coin_id: str, origin_ms: int, horizon_min: int) -> str:
    """The name of a forecast: the same wherever it is read, also when the same origin is forecast again."""
    return f"{source}.{coin_id}.{origin_ms}.{horizon_min}"


def current_kind(kind: str) -> str:
    """Translate the kind of a stored row: version 0.1.0 wrote "forest" for the model."""
    return KIND_MODEL if kind == _KIND_MODEL_0_1 else kind
