"""Condensed scores as arrays, added up by group, coin and hour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from core.accuracy.scores import SCORE_SUMS

__all__ = ["DailySums", "FloatArray", "HourlySums", "Places", "distinct", "sums_by_place"]

FloatArray = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]


@dataclass(frozen=True)
class DailySums:
    """The rows of `CondensedScores.daily` as arrays (n,); `coin` is a place in the sorted coins."""

    coins: list[str]
    coin: Places
    day: Places
    horizon: Places
    sums: Mapping[str, FloatArray]

    @staticmethod
    def of(table: pa.Table) -> DailySums:
        """Take the rows of a table."""
        coins, coin = distinct(table["coin"])
        sums = {name: table[name].to_numpy() for name in SCORE_SUMS}
        return DailySums(coins, coin, table["day"].to_numpy(), table["horizon_min"].to_numpy().astype(np.int64), sums)

    def where(self, chosen: npt.NDArray[np.bool_]) -> DailySums:
        """The chosen rows (n,)."""
        sums = {name: values[chosen] for name, values in self.sums.items()}
        return DailySums(self.coins, self.coin[chosen], self.day[chosen], self.horizon[chosen], sums)

    def by_group(self, group: Places, groups: int) -> dict[str, FloatArray]:
        """Each sum by group (groups, 1)."""
        return {name: sums_by_place(group, values, groups)[:, None] for name, values in self.sums.items()}

    def by_coin(self, group: Places, groups: int) -> dict[str, FloatArray]:
        """Each sum by group and coin (groups, coins)."""
        shape = (groups, len(self.coins))
        cells = self.by_group(group * shape[1] + self.coin, shape[0] * shape[1])
        return {name: values.reshape(shape) for name, values in cells.items()}


@dataclass(frozen=True)
class HourlySums:
    """The rows of `CondensedScores.hourly` as arrays (n,); `hour` is a place in the sorted `hours_ms`.

    `values` are forecasts, forecasts that moved, and losses above the naive ones in units of the coin's naive loss.
    """

    coins: int
    coin: Places
    hours_ms: Places
    hour: Places
    horizon: Places
    values: tuple[FloatArray, FloatArray, FloatArray]

    @staticmethod
    def of(table: pa.Table, scales: FloatArray) -> HourlySums:
        """Take the rows of as many coins as there are scales."""
        _, coin = distinct(table["coin"])
        hours, hour = distinct(table["hour"])
        n, moved, excess = (table[name].to_numpy() for name in ("n", "moved", "excess"))
        values = (n, moved, excess * scales[coin])
        return HourlySums(
            len(scales), coin, np.array(hours), hour, table["horizon_min"].to_numpy().astype(np.int64), values
        )

    def pooled(self, shown: npt.NDArray[np.bool_]) -> FloatArray:
        """The values of the shown coins together, by horizon in minutes and hour (3, minutes, hours)."""
        shape = (int(self.horizon.max()) + 1, len(self.hours_ms))
        cell = self.horizon * shape[1] + self.hour
        weight = shown[self.coin]
        return np.stack([sums_by_place(cell, row * weight, shape[0] * shape[1]).reshape(shape) for row in self.values])

    def by_coin(self) -> FloatArray:
        """The values by coin and hour (3, coins, hours)."""
        shape = (self.coins, len(self.hours_ms))
        cell = self.coin * shape[1] + self.hour
        return np.stack([sums_by_place(cell, row, shape[0] * shape[1]).reshape(shape) for row in self.values])


def distinct(column: pa.ChunkedArray) -> tuple[list[Any], Places]:
    """The distinct values of a column in order, and the place of each row among them."""
    coded = column.combine_chunks()
    coded = coded if pa.types.is_dictionary(coded.type) else coded.dictionary_encode()
    values, codes = coded.dictionary.to_pylist(), coded.indices.to_numpy()
    present = np.flatnonzero(np.bincount(codes, minlength=len(values))).tolist()
    order = sorted(present, key=values.__getitem__)
    place = np.empty(len(values), dtype=np.int64)
    place[order] = np.arange(len(order))
    return [values[code] for code in order], place[codes]


def sums_by_place(place: Places, values: FloatArray, places: int) -> FloatArray:
    """Sums (places,) of the values (n,) at each place."""
    return np.asarray(np.bincount(place, values, places), dtype=np.float64)
