"""Grid rows whose last horizon has not passed yet, with what was predicted on them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

import numpy as np

from etl.arrays import BoolArray, FloatArray, IntArray, RowArray

__all__ = ["Rows"]


_PER_TIME: Final = "ts_ms"


@dataclass
class Rows:
    """n consecutive grid rows of k coins: features, unit, and the predictions made at the time.

    `x` (n, k, features) float32, `sigma` (n, k), `usable` (n, k), `activity` (n, k, STEPS) the predicted log activity
    and `bets` (n, k, STEPS) on the direction, both NaN where none was made.
    """

    ts_ms: IntArray
    x: RowArray
    sigma: FloatArray
    usable: BoolArray
    activity: FloatArray
    bets: FloatArray

    def __len__(self) -> int:
        return len(self.ts_ms)

    def part(self, rows: slice) -> Rows:
        """Return some of the rows."""
        return Rows(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})

    def split(self, ts_ms: int) -> tuple[Rows, Rows]:
        """Return the rows at or before a moment, and those after it."""
        place = int(np.searchsorted(self.ts_ms, ts_ms, side="right"))
        return self.part(slice(0, place)), self.part(slice(place, None))

    def then(self, later: Rows) -> Rows:
        """Return these rows followed by later ones; coins that joined in between were unusable here."""
        wide = self._widened(later.x.shape[1])
        return Rows(
            **{
                field.name: np.concatenate([getattr(wide, field.name), getattr(later, field.name)])
                for field in fields(self)
            }
        )

    def put(self, other: Rows, coins: IntArray) -> Rows:
        """Return these rows with those of `other` at the same times and usable taken over into the columns `coins`."""
        wide = self._widened(int(max(coins.max() + 1, self.x.shape[1])))
        _, mine, theirs = np.intersect1d(wide.ts_ms, other.ts_ms, return_indices=True)
        row, column = np.nonzero(other.usable[theirs])
        for field in fields(self):
            if field.name != _PER_TIME:
                getattr(wide, field.name)[mine[row], coins[column]] = getattr(other, field.name)[theirs[row], column]
        return wide

    def _widened(self, coins: int) -> Rows:
        missing = coins - self.x.shape[1]
        fill = {"activity": np.nan, "bets": np.nan, "sigma": 1.0}
        return Rows(
            **{
                field.name: array.copy()
                if field.name == _PER_TIME
                else np.concatenate(
                    [
                        array,
                        np.full((len(array), missing, *array.shape[2:]), fill.get(field.name, 0), dtype=array.dtype),
                    ],
                    axis=1,
                )
                for field in fields(self)
                for array in (getattr(self, field.name),)
            }
        )
