"""What a feature grid keeps of the last days, for the outcomes of its rows and for coins that hardly move."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from etl.arrays import BoolArray, FloatArray, IntArray
from etl.features.rolling_rows import RollingRows
from etl.features.step_extremes import StepExtremes

__all__ = ["GridHistory"]

_NO_PRICE: Final = -1


class GridHistory:
    """The last grid points and what was known there of k coins, oldest first; arrays (n, k) unless stated.

    With many coins this is most of the memory: all arrays are moved on in place, and the time of a price is kept as its
    age, in half the bytes.

    Args:
        most: grid points that are kept.
        ts_ms: grid points to begin with (n,), at which nothing is known.
        coins: number of coins.
    """

    def __init__(self, most: int, ts_ms: IntArray, coins: int) -> None:
        shape = (len(ts_ms), coins)
        unknown, nothing = np.full(shape, np.nan), np.zeros(shape, dtype=bool)
        self._ts_ms = RollingRows(most, ts_ms)
        self._log_price = RollingRows(most, unknown)
        self._age_ms = RollingRows(most, np.full(shape, _NO_PRICE, dtype=np.int32))
        self._vol_mixed = RollingRows(most, unknown)
        self._log_high, self._log_low = RollingRows(most, unknown), RollingRows(most, unknown)
        self._dense = RollingRows(most, nothing)
        self._handed_out = RollingRows(most, nothing)
        prices = (self._log_price, self._vol_mixed, self._log_high, self._log_low)
        flags = (self._dense, self._handed_out)
        self._blank: tuple[tuple[RollingRows[Any], float], ...] = (
            *((rows, np.nan) for rows in prices),
            *((rows, False) for rows in flags),
            (self._age_ms, _NO_PRICE),
        )

    def __len__(self) -> int:
        return len(self.ts_ms)

    @property
    def coins(self) -> int:
        """Number of coins."""
        return int(self.log_price.shape[1])

    @property
    def ts_ms(self) -> IntArray:
        """Grid points (n,) in UTC milliseconds."""
        return self._ts_ms.rows

    @property
    def log_price(self) -> FloatArray:
        """Log prices as of the grid points; NaN in a gap."""
        return self._log_price.rows

    @property
    def vol_mixed(self) -> FloatArray:
        """Volatilities that are half fast, half slow; NaN before the first price."""
        return self._vol_mixed.rows

    @property
    def extremes(self) -> StepExtremes:
        """Highest and lowest prices of the steps that end at the grid points."""
        return StepExtremes(self._log_high.rows, self._log_low.rows, self._dense.rows)

    @property
    def handed_out(self) -> BoolArray:
        """Rows that were given to a model."""
        return self._handed_out.rows

    def event_ms(self, rows: slice = slice(None), coins: IntArray | slice = slice(None)) -> IntArray:
        """Event times of some of the prices in UTC milliseconds; -1 in a gap."""
        age_ms = self._age_ms.rows[rows, coins]
        return np.where(age_ms == _NO_PRICE, _NO_PRICE, self.ts_ms[rows, None] - age_ms)

    def last(self) -> tuple[FloatArray, IntArray]:
        """Log prices at the last grid point (k,) and their event times (k,)."""
        return self.log_price[-1].copy(), self.event_ms(slice(-1, None))[0]

    def append(
        self,
        ts_ms: IntArray,
        log_price: FloatArray,
        event_ms: IntArray,
        vol_mixed: FloatArray,
        extremes: StepExtremes,
        *,
        usable: BoolArray,
    ) -> None:
        """Add m grid points (m,) and what is known there (m, k); `usable` rows are given to a model."""
        self._log_price.append(log_price)
        self._age_ms.append(_ages_ms(ts_ms, event_ms))
        self._vol_mixed.append(vol_mixed)
        self._log_high.append(extremes.log_high)
        self._log_low.append(extremes.log_low)
        self._dense.append(extremes.dense)
        self._handed_out.append(usable)
        self._ts_ms.append(ts_ms)

    def widen(self, added: int) -> None:
        """Add coins of which nothing is known."""
        for values, nothing in self._blank:
            values.widen(np.full(added, nothing, dtype=values.rows.dtype))

    def clear(self, coins: IntArray) -> None:
        """Forget all that is known of some coins (j,)."""
        for values, nothing in self._blank:
            values.rows[:, coins] = nothing

    def put_prices(self, coins: IntArray, log_price: FloatArray, event_ms: IntArray, extremes: StepExtremes) -> None:
        """Replace the prices of some coins (j,) at all grid points (n, j)."""
        self.log_price[:, coins] = log_price
        self._age_ms.rows[:, coins] = _ages_ms(self.ts_ms, event_ms)
        self.extremes.put(extremes, coins)


def _ages_ms(ts_ms: IntArray, event_ms: IntArray) -> npt.NDArray[np.int32]:
    """Ages (n, k) of the prices at grid points (n,)."""
    return np.where(event_ms == _NO_PRICE, _NO_PRICE, ts_ms[:, None] - event_ms).astype(np.int32)
