"""What the shards have in common, at the coordinator: the market, and the model that learns from all of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.errors import ForecastingError
from core.times import GRID_STEP_MS
from etl.arrays import FloatArray
from etl.features.roster import Roster
from etl.features.shared_market import GridBounds, kept_rows
from model.forecaster.lesson import Lesson
from model.forecaster.online_model import FitReport, OnlineModel
from model.loop.shard_messages import AddUp, Agree, MarketRecord, Question, Renew, Teach
from model.loop.shard_model import ModelNews, ModelVersions

__all__ = ["Answer", "SharedTraining"]

Answer = GridBounds | FloatArray | None
"""To all shards; None where they ask for the model: they get what is new in it (`SharedTraining.news`)."""


class SharedTraining:
    """Answers what all shards ask together, in the order of the shards.

    Args:
        model: everything learned.
        learned_ms: the last grid point that it was learned from in UTC milliseconds; -1 for a new one.

    Attributes:
        model: the same, with what it learns.
        market: the market's sums, as far back as grids go; None before the first.
    """

    def __init__(self, model: OnlineModel, learned_ms: int) -> None:
        self.model = model
        self.market: MarketRecord | None = None
        self._learned_ms = learned_ms
        self._versions = ModelVersions()

    @property
    def end_ms(self) -> int:
        """The market's last grid point in UTC milliseconds; -1 before the first."""
        return -1 if self.market is None else int(self.market.ts_ms[-1])

    def answer(self, asked: Sequence[Question]) -> Answer:
        """Answer one question.

        Raises:
            ForecastingError: the shards do not ask the same.
        """
        if any(type(one) is not type(asked[0]) for one in asked):
            raise ForecastingError("the shards do not ask the same")
        match asked[0]:
            case Agree():
                return GridBounds.of_all([one.bounds for one in asked if isinstance(one, Agree)])
            case AddUp():
                return self._added_up([one.market for one in asked if isinstance(one, AddUp)])
            case Renew(ts_ms):
                self._renew(ts_ms)
            case Teach():
                self._teach([one.lesson for one in asked if isinstance(one, Teach)])
        return None

    def news(self, number: int) -> ModelNews | None:
        """How the model has changed since version `number`, if it has."""
        return self._versions.since(number, self.model)

    def whole_model(self) -> ModelNews:
        """The model for a shard that has none."""
        return self._versions.whole(self.model)

    def refit(self, now_ms: int) -> FitReport:
        """Renew the models, as of the market's next grid point at the latest, as `ForecastEngine.refit` does."""
        end_ms = self._learned_ms if self.market is None else self.end_ms
        return self._refit(now_ms if end_ms < 0 else min(now_ms, end_ms + GRID_STEP_MS))

    def _refit(self, now_ms: int) -> FitReport:
        self._versions.note_change()
        return self.model.refit(now_ms)

    def enrol(self, roster: Roster, taken: Sequence[int]) -> None:
        """Make room for the coins of a roster, some of which have taken over numbers."""
        self._versions.note_change()
        self.model.widen(len(roster))
        self.model.enrolled(np.array(taken, dtype=np.int64), len(roster.left_ms))

    def _added_up(self, shards: Sequence[MarketRecord]) -> FloatArray:
        if not all(np.array_equal(shards[0].ts_ms, one.ts_ms) for one in shards):
            raise ForecastingError("the grids of the shards lie apart")
        total = MarketRecord(shards[0].ts_ms, np.sum([one.sums for one in shards], axis=0))
        whole = total if self.market is None else self.market.then(total)
        self.market = whole.last(kept_rows(self.model.options.train_days))
        return total.sums

    def _renew(self, ts_ms: int) -> None:
        if self.model.is_old(ts_ms):
            self._refit(ts_ms)

    def _teach(self, shards: Sequence[Lesson]) -> None:
        lesson = Lesson.of_all(shards)
        if lesson:
            self._versions.note_change()
            self.model.learn(lesson)
