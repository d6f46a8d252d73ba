"""The model on its way to the shards: what arrives is the model, and what travels is what has changed."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from core.times import GRID_STEP_MS
from etl.features.columns import FEATURE_NAMES
from model.forecaster.engine import EngineOptions
from model.forecaster.online_model import OnlineModel
from model.forecaster.pending_rows import Prediction
from model.loop.executor import first_state
from model.loop.shard_model import ModelCopy, ModelVersions

COINS = 500
ROWS = np.random.default_rng(0).normal(size=(40, len(FEATURE_NAMES))).astype(np.float32)
NUMBERS = np.arange(40)


@pytest.fixture
def model() -> OnlineModel:
    """A model of many coins that has learned nothing."""
    made = first_state(EngineOptions()).model
    made.widen(COINS)
    return made


def _predicted(model: OnlineModel) -> Prediction:
    return model.predict(ROWS, NUMBERS, np.ones(len(ROWS), dtype=bool))


def _learn(model: OnlineModel, step: int) -> None:
    """Let a few coins teach the gate and the trackers."""
    ts_ms, losses = np.full(40, GRID_STEP_MS * step), np.linspace(0.1, 0.4, 40)
    model.gate.learn(ts_ms, NUMBERS, losses, losses[::-1])
    model.refit(int(ts_ms[0]))


def _assert_same(copy: OnlineModel, model: OnlineModel) -> None:
    np.testing.assert_array_equal(copy.gate.passes(np.arange(COINS)), model.gate.passes(np.arange(COINS)))
    np.testing.assert_array_equal(_predicted(copy).activity, _predicted(model).activity)
    np.testing.assert_array_equal(_predicted(copy).minutes, _predicted(model).minutes)


def test_each_version_arrives_as_it_is_and_only_changes_travel(model: OnlineModel) -> None:
    """After each change the copy is bit for bit the model; what travels is a small part of it."""
    versions, copy = ModelVersions(), ModelCopy()
    news = versions.whole(model)
    whole = len(pickle.dumps(news))
    _assert_same(copy.take(news), model)
    for step in range(1, 4):
        _learn(model, step)
        versions.note_change()
        change = versions.since(news.number, model)
        assert change is not None
        assert len(pickle.dumps(change)) < whole / 10
        _assert_same(copy.take(change), model)
        news = change
    assert versions.since(news.number, model) is None


def test_a_shard_that_is_versions_behind_or_knows_fewer_coins_gets_all_that_it_misses(model: OnlineModel) -> None:
    """A shard that missed a version gets the whole model, and arrays that have grown arrive whole."""
    versions, copy = ModelVersions(), ModelCopy()
    first = versions.whole(model)
    copy.take(first)
    for step in range(1, 3):
        _learn(model, step)
        model.widen(COINS + 300 * step)
        versions.note_change()
        versions.since(0, model)
    missed = versions.since(first.number, model)
    assert missed is not None
    taken = copy.take(missed)
    _assert_same(taken, model)
    assert len(taken.gate.passes(np.arange(COINS + 600))) == COINS + 600
