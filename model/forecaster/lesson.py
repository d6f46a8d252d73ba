"""What a shard's matured rows teach: few of them, whatever the number of coins, so that they can travel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Self

import numpy as np

from core.times import HOUR_MS
from etl.arrays import BoolArray, FloatArray, IntArray, RowArray
from etl.features.columns import FEATURE_NAMES
from etl.features.targets import STEPS, Outcomes, Reached
from model.forecaster.pending_rows import PendingRows, Prediction

__all__ = ["HourScales", "Lesson", "MaturedRows"]


@dataclass(frozen=True)
class HourScales:
    """Scales of the hour predicted at full hours (n,) for coins (k,), shape (n, k); NaN where none was."""

    ts_ms: IntArray
    coins: IntArray
    scale: FloatArray

    @classmethod
    def of(cls, ts_ms: IntArray, coins: IntArray, scale: FloatArray) -> Self:
        """Those at full hours among grid points (n,)."""
        full = ts_ms % HOUR_MS == 0
        return cls(ts_ms[full], coins, scale[full])


@dataclass(frozen=True)
class MaturedRows:
    """n rows whose outcomes are known, in order of time, then coin.

    Attributes:
        ts_ms: grid points (n,).
        coins: numbers of the coins (n,).
        x: features (n, features).
        vol_fast: fast volatility (n,).
        predicted: what was predicted on them (n, STEPS).
        activity, move: what followed (n, STEPS), see `Outcomes`.
        rise, fall: how far the prices went (n, STEPS), and `dense` (n,), see `Reached`.
    """

    ts_ms: IntArray
    coins: IntArray
    x: RowArray
    vol_fast: FloatArray
    predicted: Prediction
    activity: FloatArray
    move: FloatArray
    rise: FloatArray
    fall: FloatArray
    dense: BoolArray

    def __len__(self) -> int:
        return len(self.ts_ms)

    @classmethod
    def none(cls) -> Self:
        """No rows."""
        unknown, nothing = np.zeros((0, STEPS)), np.zeros(0, dtype=np.int64)
        return cls(
            ts_ms=nothing,
            coins=nothing,
            x=np.zeros((0, len(FEATURE_NAMES)), dtype=np.float32),
            vol_fast=np.zeros(0),
            predicted=Prediction.unknown((0, STEPS)),
            activity=unknown,
            move=unknown,
            rise=unknown,
            fall=unknown,
            dense=np.zeros(0, dtype=bool),
        )

    @classmethod
    def of(cls, rows: PendingRows, coins: IntArray, chosen: BoolArray, after: Outcomes, way: Reached) -> Self:
        """The rows `chosen` (n, k) of coins with these numbers (k,), and what followed them."""
        row, column = np.nonzero(chosen)
        return cls(
            ts_ms=rows.ts_ms[row],
            coins=coins[column],
            x=rows.x[row, column],
            vol_fast=rows.vol_fast[row, column],
            predicted=rows.predicted(row, column),
            activity=after.activity[row, column],
            move=after.move[row, column],
            rise=way.rise[row, column],
            fall=way.fall[row, column],
            dense=way.dense[row, column],
        )

    @classmethod
    def of_all(cls, shards: Sequence[MaturedRows]) -> MaturedRows:
        """The rows of all shards in the order that they have in one."""
        if len(shards) == 1:
            return shards[0]
        order = np.lexsort([np.concatenate([getattr(rows, key) for rows in shards]) for key in ("coins", "ts_ms")])
        columns = [field.name for field in fields(cls) if field.name != "predicted"]
        joined = {name: np.concatenate([getattr(rows, name) for rows in shards])[order] for name in columns}
        return cls(predicted=Prediction.joined([rows.predicted for rows in shards], order), **joined)


@dataclass(frozen=True)
class Lesson:
    """What one block of grid rows teaches: the scales predicted on it, by shard, and the rows that matured with it."""

    scales: tuple[HourScales, ...]
    rows: MaturedRows

    @classmethod
    def none(cls) -> Self:
        """Nothing new."""
        return cls((), MaturedRows.none())

    @classmethod
    def of_all(cls, shards: Sequence[Lesson]) -> Lesson:
        """The lesson of all shards together."""
        scales = tuple(scales for lesson in shards for scales in lesson.scales)
        return cls(scales, MaturedRows.of_all([lesson.rows for lesson in shards]))

    def __bool__(self) -> bool:
        return bool(len(self.rows)) or any(len(scales.ts_ms) for scales in self.scales)
