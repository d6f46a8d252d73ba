"""What the coins of all shards have in common: where the grid lies, and the sums behind the market's means.

A grid of all coins is the case of one shard, whose sums are the market's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from etl.arrays import FloatArray, IntArray
from etl.features.raw_prices import STEPS_PER_DAY

__all__ = ["GridBounds", "OneShard", "SharedMarket", "kept_rows"]

_OUTCOME_ROWS: Final = 13
"""The last row of the history, and the hour that follows it."""


def kept_rows(history_days: int) -> int:
    """Grid rows that a grid holds besides the day before them that the first one looks back over."""
    return history_days * STEPS_PER_DAY + _OUTCOME_ROWS


@dataclass(frozen=True)
class GridBounds:
    """What the extent of the grid depends on.

    Attributes:
        coins: number of coins.
        first_ms: time of the oldest price in UTC milliseconds; None without a price, and once the grid has begun.
        latest_ms: time of the newest price; -1 without one.
        rebuilds: number of coins that joined late or were repaired since the grid was extended last.
    """

    coins: int
    first_ms: int | None
    latest_ms: int
    rebuilds: int

    @classmethod
    def of_all(cls, shards: Sequence[GridBounds]) -> GridBounds:
        """The bounds of the coins of all shards."""
        return cls(
            coins=sum(one.coins for one in shards),
            first_ms=min((one.first_ms for one in shards if one.first_ms is not None), default=None),
            latest_ms=max(one.latest_ms for one in shards),
            rebuilds=sum(one.rebuilds for one in shards),
        )


class SharedMarket(Protocol):
    """How the grids of all shards agree; each of them calls the same methods in the same order."""

    def agree(self, own: GridBounds) -> GridBounds:
        """The bounds of all coins, from those of one shard."""

    def add_up(self, ts_ms: IntArray, own: FloatArray) -> FloatArray:
        """The sums (n, columns) over all coins at grid points (n,), from those over the coins of one shard."""


class OneShard:
    """One shard has all coins."""

    def agree(self, own: GridBounds) -> GridBounds:
        """Its bounds are those of all coins."""
        return own

    def add_up(self, ts_ms: IntArray, own: FloatArray) -> FloatArray:
        """Its sums are those over all coins."""
        del ts_ms
        return own
