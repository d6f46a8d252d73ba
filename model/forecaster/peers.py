"""What the engines of all shards do together: number their coins, agree on the grid, and learn one model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from etl.arrays import IntArray
from etl.features.shared_market import OneShard, SharedMarket
from model.forecaster.lesson import Lesson
from model.forecaster.online_model import OnlineModel

__all__ = ["Alone", "Peers"]


class Peers(SharedMarket, Protocol):
    """How the engines of all shards learn as one; each of them calls the same methods in the same order."""

    def numbers(self, coins: Sequence[str]) -> IntArray:
        """The numbers of coins among those of all shards (k,)."""

    def enrolled(self, model: OnlineModel, taken: IntArray, absent: int) -> None:
        """Coins have taken over columns (j,); `absent` coins with a column are not collected now."""

    def renewed(self, model: OnlineModel, ts_ms: int) -> OnlineModel:
        """The model to predict with from grid point `ts_ms` on: refitted if it had become old by then."""

    def teach(self, model: OnlineModel, lesson: Lesson) -> None:
        """Let the model learn from the lessons of all shards; the next `renewed` gives what has become of it."""


class Alone(OneShard):
    """One engine has all coins and learns by itself."""

    def numbers(self, coins: Sequence[str]) -> IntArray:
        """A coin's number is its column."""
        return np.arange(len(coins))

    def enrolled(self, model: OnlineModel, taken: IntArray, absent: int) -> None:
        """The model itself takes notice."""
        model.enrolled(taken, absent)

    def renewed(self, model: OnlineModel, ts_ms: int) -> OnlineModel:
        """The same model, refitted if it is old."""
        if model.is_old(ts_ms):
            model.refit(ts_ms)
        return model

    def teach(self, model: OnlineModel, lesson: Lesson) -> None:
        """The model itself learns."""
        model.learn(lesson)
