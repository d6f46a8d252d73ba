"""Grid rows whose longest horizon has not passed yet, with the predictions made on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Final, Self

import numpy as np

from etl.arrays import BoolArray, FloatArray, IntArray, RowArray

__all__ = ["PendingRows", "Prediction"]


_PER_TIME: Final = "ts_ms"
"""The one field without an axis for coins."""


@dataclass(frozen=True)
class Prediction:
    """What was predicted on rows, arrays (..., STEPS); NaN where nothing was.

    Attributes:
        activity: log activity.
        base: log activity without the two corrections.
        minutes: correction by prices a minute apart, before its share.
        forest: correction by the forest, before its share.
        drift: mean of the scaled moves.
    """

    activity: FloatArray
    base: FloatArray
    minutes: FloatArray
    forest: FloatArray
    drift: FloatArray

    @classmethod
    def unknown(cls, shape: tuple[int, ...]) -> Self:
        """Nothing predicted yet."""
        return cls(**{field.name: np.full(shape, np.nan) for field in fields(cls)})

    @classmethod
    def joined(cls, parts: Sequence[Prediction], order: IntArray) -> Self:
        """Predictions (n, STEPS) one after another, then in this order."""
        names = [field.name for field in fields(cls)]
        return cls(**{name: np.concatenate([getattr(part, name) for part in parts])[order] for name in names})

    def stored(self) -> dict[str, RowArray]:
        """The arrays by name, in single precision."""
        return {field.name: getattr(self, field.name).astype(np.float32) for field in fields(self)}


@dataclass
class PendingRows:
    """n consecutive grid rows of k coins.

    Attributes:
        ts_ms: grid points (n,).
        x: features (n, k, features), float32.
        vol_fast: volatility (n, k), the unit of the features.
        usable: rows fit for a model (n, k).
        activity, base, minutes, forest, drift: what was predicted (n, k, STEPS), see `Prediction`.
    """

    ts_ms: IntArray
    x: RowArray
    vol_fast: FloatArray
    usable: BoolArray
    activity: RowArray
    base: RowArray
    minutes: RowArray
    forest: RowArray
    drift: RowArray

    def __len__(self) -> int:
        return len(self.ts_ms)

    def predicted(self, row: IntArray, column: IntArray) -> Prediction:
        """What was predicted on some rows (m,), arrays (m, STEPS)."""
        names = [field.name for field in fields(Prediction)]
        return Prediction(**{name: getattr(self, name)[row, column].astype(np.float64) for name in names})

    def part(self, rows: slice) -> PendingRows:
        """Some of the rows."""
        return PendingRows(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})

    def split(self, ts_ms: int) -> tuple[PendingRows, PendingRows]:
        """The rows at or before a time, and those after it."""
        place = int(np.searchsorted(self.ts_ms, ts_ms, side="right"))
        return self.part(slice(0, place)), self.part(slice(place, None))

    def then(self, later: PendingRows) -> PendingRows:
        """These rows followed by later ones; coins that joined in between are unusable in the earlier rows."""
        wide = self._widened(later.x.shape[1])
        return PendingRows(
            **{
                field.name: np.concatenate([getattr(wide, field.name), getattr(later, field.name)])
                for field in fields(self)
            }
        )

    def put(self, other: PendingRows, coins: IntArray) -> PendingRows:
        """These rows with the usable ones of `other` at the same times copied into the columns `coins`."""
        wide = self._widened(int(max(coins.max(initial=-1) + 1, self.x.shape[1])))
        _, mine, theirs = np.intersect1d(wide.ts_ms, other.ts_ms, return_indices=True)
        row, column = np.nonzero(other.usable[theirs])
        for field in fields(self):
            if field.name != _PER_TIME:
                getattr(wide, field.name)[mine[row], coins[column]] = getattr(other, field.name)[theirs[row], column]
        return wide

    def of_coins(self, coins: IntArray) -> PendingRows:
        """The columns with these numbers."""
        columns = {field.name: getattr(self, field.name) for field in fields(self)}
        return PendingRows(**{name: array if name == _PER_TIME else array[:, coins] for name, array in columns.items()})

    def without(self, coins: IntArray) -> PendingRows:
        """These rows with the columns `coins`, as far as there are such, as those of coins that joined in between."""
        coins = coins[coins < self.x.shape[1]]
        others, blank = self._widened(self.x.shape[1]), self.of_coins(coins[:0])._widened(len(coins))
        for field in fields(self):
            if field.name != _PER_TIME:
                getattr(others, field.name)[:, coins] = getattr(blank, field.name)
        return others

    @classmethod
    def merged(cls, shards: Sequence[tuple[PendingRows, IntArray]]) -> PendingRows | None:
        """The rows of all shards, from those of each and the numbers of its coins; None without any."""
        if not shards:
            return None
        longest, _ = max(shards, key=lambda shard: len(shard[0]))
        whole = longest.of_coins(np.zeros(0, dtype=np.int64))
        for rows, numbers in shards:
            whole = whole.put(rows, numbers[: rows.x.shape[1]])
        return whole

    def _widened(self, coins: int) -> PendingRows:
        """A copy with room for `coins` coins; the added columns are unusable."""
        missing = coins - self.x.shape[1]
        fill = {"vol_fast": 1.0} | {field.name: np.nan for field in fields(Prediction)}
        columns = {}
        for field in fields(self):
            array = getattr(self, field.name)
            if field.name == _PER_TIME:
                columns[field.name] = array.copy()
            else:
                shape = (len(array), missing, *array.shape[2:])
                added = np.full(shape, fill.get(field.name, 0), dtype=array.dtype)
                columns[field.name] = np.concatenate([array, added], axis=1)
        return PendingRows(**columns)
