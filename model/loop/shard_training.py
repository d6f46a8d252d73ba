"""What the shards have in common, at the coordinator: the market, and the model that learns from all of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.errors import ForecastingError
from etl.arrays import FloatArray
from etl.features.shared_market import GridBounds, kept_rows
from model.forecaster.lesson import Lesson
from model.forecaster.online_model import FitReport, OnlineModel
from model.loop.shard_messages import AddUp, Agree, MarketRecord, Question, Renew, Teach

__all__ = ["Answer", "SharedTraining"]

Answer = GridBounds | FloatArray | OnlineModel | None


class SharedTraining:
    """Answers what all shards ask together, in the order of the shards.

    Attributes:
        model: everything learned.
        model_number: grows whenever the model changes.
        market: the market's sums, as far back as grids go; None before the first.
    """

    def __init__(self, model: OnlineModel) -> None:
        self.model = model
        self.model_number = 0
        self.market: MarketRecord | None = None

    def answer(self, asked: Sequence[Question]) -> Answer:
        """Answer one question; a model is an answer only where it has changed.

        Raises:
            ForecastingError: the shards do not ask the same.
        """
        match asked[0]:
            case Agree():
                return GridBounds.of_all([one.bounds for one in asked if isinstance(one, Agree)])
            case AddUp():
                return self._added_up([one.market for one in asked if isinstance(one, AddUp)])
            case Renew(ts_ms):
                return self._renewed(ts_ms)
            case Teach():
                return self._taught([one.lesson for one in asked if isinstance(one, Teach)])

    def refit(self, now_ms: int) -> FitReport:
        """Renew the models."""
        self.model_number += 1
        return self.model.refit(now_ms)

    def _added_up(self, shards: Sequence[MarketRecord]) -> FloatArray:
        if not all(np.array_equal(shards[0].ts_ms, one.ts_ms) for one in shards):
            raise ForecastingError("the grids of the shards lie apart")
        total = MarketRecord(shards[0].ts_ms, np.sum([one.sums for one in shards], axis=0))
        whole = total if self.market is None else self.market.then(total)
        self.market = whole.last(kept_rows(self.model.options.train_days))
        return total.sums

    def _renewed(self, ts_ms: int) -> OnlineModel | None:
        if not self.model.is_old(ts_ms):
            return None
        self.refit(ts_ms)
        return self.model.without_rows()

    def _taught(self, shards: Sequence[Lesson]) -> OnlineModel | None:
        lesson = Lesson.of_all(shards)
        if not lesson:
            return None
        self.model_number += 1
        self.model.learn(lesson)
        return self.model.without_rows()
