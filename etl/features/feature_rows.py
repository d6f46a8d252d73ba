"""Feature rows: blocks of grid rows, and rows as of origins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from etl.arrays import BoolArray, FloatArray, IntArray, RowArray

__all__ = ["FeatureBlock", "OriginRows"]


@dataclass(frozen=True)
class FeatureBlock:
    """Completed grid rows of k coins at n grid points.

    Attributes:
        ts_ms: grid points (n,).
        coins: column numbers of the coins (k,).
        x: features (n, k, features), float32.
        vol_fast: fast volatility (n, k), the unit of the features.
        usable: rows (n, k) fit for a model that no earlier block had.
    """

    ts_ms: IntArray
    coins: IntArray
    x: RowArray
    vol_fast: FloatArray
    usable: BoolArray

    def part(self, rows: slice, coins: BoolArray | slice = slice(None)) -> FeatureBlock:
        """Some of the grid points, and of the coins."""
        return FeatureBlock(
            self.ts_ms[rows],
            self.coins[coins],
            self.x[rows, coins],
            self.vol_fast[rows, coins],
            self.usable[rows, coins],
        )


@dataclass(frozen=True)
class OriginRows:
    """Rows of k coins, each as of its own origin.

    Attributes:
        x: features (k, features).
        vol_fast: volatility of a 5-minute log return (k,), half-life 6 hours; the unit of the features.
        vol_mixed: root of the mean of fast and slow variance (k,), for the intervals of static coins.
        price: price at the origin (k,); NaN without one.
        usable: rows fit for a model (k,).
        static: coins that hardly move (k,), see `columns.is_static`.
        dense: coins with more than one price in most steps of the last hour (k,).
    """

    x: RowArray
    vol_fast: FloatArray
    vol_mixed: FloatArray
    price: FloatArray
    usable: BoolArray
    static: BoolArray
    dense: BoolArray

    def part(self, coins: IntArray) -> OriginRows:
        """The rows of the coins with these places."""
        return OriginRows(**{field.name: getattr(self, field.name)[coins] for field in fields(self)})

    @classmethod
    def joined(cls, parts: Sequence[OriginRows]) -> OriginRows:
        """The rows of all parts, one after another."""
        return cls(
            **{field.name: np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)}
        )
