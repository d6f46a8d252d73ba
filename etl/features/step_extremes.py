"""What happened between two grid points: the highest and lowest price of each 5-minute step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from etl.arrays import BoolArray, FloatArray, IntArray
from etl.features.raw_prices import RawPrices

__all__ = ["StepExtremes"]

_HOUR: Final = 12
"""Steps over which it is judged whether prices are dense."""


@dataclass(frozen=True)
class StepExtremes:
    """n consecutive grid rows of k coins; a step is the five minutes that end at its row.

    Attributes:
        log_high, log_low: logs of the highest and lowest price within the step (n, k). Without a price within it they
            are the price as of the row; NaN in a gap.
        dense: whether more than one price lies within the step (n, k).
    """

    log_high: FloatArray
    log_low: FloatArray
    dense: BoolArray

    @classmethod
    def unknown(cls, rows: int, coins: int) -> StepExtremes:
        """Rows without any price."""
        shape = (rows, coins)
        return cls(np.full(shape, np.nan), np.full(shape, np.nan), np.zeros(shape, dtype=bool))

    @classmethod
    def of(cls, raw: RawPrices, coins: IntArray, ts_ms: IntArray, log_price: FloatArray) -> StepExtremes:
        """Look the extremes up.

        Args:
            raw: the prices at full resolution, as far as they are kept.
            coins: column numbers (k,).
            ts_ms: grid points (n,).
            log_price: log prices as of these (n, k).
        """
        high, low, count = raw.extremes(coins, ts_ms[:, None])
        within = (count > 0) & np.isfinite(log_price)
        return cls(
            np.where(within, np.log(high), log_price), np.where(within, np.log(low), log_price), within & (count > 1)
        )

    def part(self, rows: slice, coins: IntArray | slice = slice(None)) -> StepExtremes:
        """Some of the rows, of some coins."""
        return StepExtremes(self.log_high[rows, coins], self.log_low[rows, coins], self.dense[rows, coins])

    def put(self, other: StepExtremes, coins: IntArray) -> None:
        """Write `other` into the columns `coins`."""
        self.log_high[:, coins], self.log_low[:, coins] = other.log_high, other.log_low
        self.dense[:, coins] = other.dense

    def dense_before(self, rows: IntArray, coins: IntArray) -> BoolArray:
        """Whether most steps of the hour up to row `rows[i]` of coin `coins[i]` are dense (k,)."""
        hour = np.maximum(rows[:, None] - np.arange(_HOUR), 0)
        return np.asarray(2 * self.dense[hour, coins[:, None]].sum(axis=1) > _HOUR)

    def dense_after(self) -> BoolArray:
        """Whether most steps of the hour after each row are dense, for all rows but the last hour's (n - 12, k)."""
        total = np.cumsum(self.dense, axis=0)
        return np.asarray(2 * (total[_HOUR:] - total[:-_HOUR]) > _HOUR)
