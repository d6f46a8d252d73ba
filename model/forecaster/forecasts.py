"""Forecasts of many coins: as arrays, and as rows of the forecast contract."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from core.forecast_schema import (
    ACTIVITY_PERCENTILE,
    FORECAST_SCHEMA,
    HORIZONS_MIN,
    KIND_BASELINE,
    KIND_MODEL,
    QUANTILE_COLUMNS,
    REACH_COLUMNS,
)
from etl.arrays import BoolArray, FloatArray, IntArray

__all__ = ["Forecasts", "Spread", "in_order", "quantile_prices"]


def quantile_prices(centre: FloatArray, half_width: FloatArray) -> FloatArray:
    """Nine price quantiles (..., 9) around centre prices (...) with half-widths (..., 4) of the log move."""
    reach = np.concatenate([-half_width[..., ::-1], np.zeros((*half_width.shape[:-1], 1)), half_width], axis=-1)
    return np.asarray(centre[..., None] * np.exp(reach))


@dataclass(frozen=True)
class Spread:
    """How far k coins may move: half-widths of the log move (k, 12, 4) and quantiles of the reach (k, 12, 7)."""

    half_widths: FloatArray
    reach: FloatArray


@dataclass(frozen=True)
class Forecasts:
    """Forecasts of k coins over the twelve horizons, in the currency of the prices.

    Attributes:
        coins: ids (k,).
        origin_ms: origins (k,), in UTC milliseconds.
        price_origin: price at the origin (k,).
        mean: expected price (k, 12).
        quantiles: published price quantiles (k, 12, 9).
        p_up: probability of a rise (k, 12).
        reach: quantiles at REACH_LEVELS of the largest log rise, or fall, within the horizon (k, 12, 7).
        activity_percentile: percent of the coin's own hours that were calmer (k,); NaN where unknown.
        is_model: the model's forecast is published (k,), not the baseline's.
        baseline_quantiles: price quantiles of the baseline (k, 12, 9).
        baseline_reach: reach according to the baseline (k, 12, 7).
        model_quantiles: price quantiles of the model (k, 12, 9); NaN where it cannot forecast.
    """

    coins: Sequence[str]
    origin_ms: IntArray
    price_origin: FloatArray
    mean: FloatArray
    quantiles: FloatArray
    p_up: FloatArray
    reach: FloatArray
    activity_percentile: FloatArray
    is_model: BoolArray
    baseline_quantiles: FloatArray
    baseline_reach: FloatArray
    model_quantiles: FloatArray

    def __len__(self) -> int:
        return len(self.coins)

    def of_baseline(self) -> Forecasts:
        """What the baseline alone would have published for the same coins and origins."""
        steps = len(HORIZONS_MIN)
        return replace(
            self,
            mean=np.repeat(self.price_origin[:, None], steps, axis=1),
            quantiles=self.baseline_quantiles,
            reach=self.baseline_reach,
            p_up=np.full((len(self), steps), 0.5),
            is_model=np.zeros(len(self), dtype=bool),
        )

    def to_table(self, model_version: str, created_ms: int, source: str) -> pa.Table:
        """One row per coin and horizon in FORECAST_SCHEMA, ordered by coin as given, then horizon.

        Args:
            model_version: version of the stored model.
            created_ms: time of the forecast, in UTC milliseconds.
            source: where the prices come from (`fonte`).
        """
        steps = len(HORIZONS_MIN)
        rows = len(self) * steps
        kind = np.where(self.is_model, KIND_MODEL, KIND_BASELINE)
        columns = {
            "coin": np.repeat(np.array(self.coins, dtype=object), steps),
            "origin": pa.array(np.repeat(self.origin_ms, steps)).cast(FORECAST_SCHEMA.field("origin").type),
            "horizon_min": np.tile(np.array(HORIZONS_MIN, dtype=np.int16), len(self)),
            "price_origin": np.repeat(self.price_origin, steps),
            "mean": self.mean.ravel(),
            **{name: self.quantiles[..., n].ravel() for n, name in enumerate(QUANTILE_COLUMNS)},
            "p_up": self.p_up.ravel(),
            **{name: self.reach[..., n].ravel() for n, name in enumerate(REACH_COLUMNS)},
            ACTIVITY_PERCENTILE: pa.array(np.repeat(self.activity_percentile, steps), from_pandas=True),
            "kind": np.repeat(kind.astype(object), steps),
            "model_version": np.full(rows, model_version, dtype=object),
            "created_at": pa.array(np.full(rows, created_ms)).cast(FORECAST_SCHEMA.field("created_at").type),
            "source": np.full(rows, source, dtype=object),
        }
        return pa.table(columns, schema=FORECAST_SCHEMA)


def in_order(table: pa.Table, numbers: Callable[[Sequence[str]], IntArray]) -> pa.Table:
    """Forecasts in FORECAST_SCHEMA, the twelve rows of each coin by the coin's number."""
    steps = len(HORIZONS_MIN)
    coins = table["coin"].take(np.arange(0, len(table), steps)).to_pylist()
    rows = np.argsort(numbers(coins))[:, None] * steps + np.arange(steps)
    return table.take(rows.ravel()).combine_chunks()
