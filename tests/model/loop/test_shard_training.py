"""What the coordinator answers to the shards, when they do not agree on what they are doing."""

from __future__ import annotations

import pytest

from core.errors import ForecastingError
from etl.features.shared_market import GridBounds
from model.forecaster.engine import EngineOptions
from model.forecaster.lesson import Lesson
from model.loop.executor import first_state
from model.loop.shard_messages import Agree, Question, Renew, Teach
from model.loop.shard_training import SharedTraining

AGREE = Agree(GridBounds(1, None, -1, rebuilds=0))


@pytest.mark.parametrize("asked", [(AGREE, Renew(0)), (Renew(0), Teach(Lesson.none())), (Teach(Lesson.none()), AGREE)])
def test_shards_that_do_not_ask_the_same_are_refused(asked: tuple[Question, ...]) -> None:
    """The answer to one of them would be a lesson lost, or a model that has not learned, for the other."""
    with pytest.raises(ForecastingError, match="the same"):
        SharedTraining(first_state(EngineOptions()).model, -1).answer(asked)
