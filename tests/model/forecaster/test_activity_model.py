"""The activity model on made-up rows: what it predicts when, and how far it follows each correction."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from core.times import DAY_MS, GRID_STEP_MS, HOUR_MS
from etl.features.columns import BASE_FEATURES, FEATURE_NAMES
from etl.features.minute_columns import MINUTE_SHARE
from etl.features.targets import STEPS
from model.forecaster.activity_model import ActivityModel
from model.forecaster.networks import NetworkEnsemble
from model.forecaster.options import EngineOptions
from model.forecaster.pending_rows import Prediction
from model.forecaster.prior import LinearModel, Prior
from tests.support.small_prior import small_prior

BASE = len(BASE_FEATURES)
SHARE = FEATURE_NAMES.index(MINUTE_SHARE)
DAY = 19_000
COINS = 3
OPTIONS = EngineOptions(train_days=10, n_trees=8, min_rows=300)
BY_MINUTES = 0.3

FloatArray = npt.NDArray[np.float64]


@pytest.fixture(scope="module")
def prior() -> Prior:
    """A prior by which nothing matters but minutes, which always raise the activity by three tenths."""
    drawn = small_prior()
    return replace(
        drawn,
        linear=LinearModel(np.zeros((BASE, STEPS)), np.zeros(STEPS)),
        networks=replace(drawn.networks, share=0.0),
        minutes=LinearModel(np.zeros_like(drawn.minutes.coef), np.full(STEPS, BY_MINUTES)),
    )


def _day(day: int, kind: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32], FloatArray]:
    """Times, rows and activity of a day: activity follows one column, its size, minutes, their opposite, or nothing."""
    rng = np.random.default_rng(day)
    ts_ms = np.repeat(DAY_MS * day + GRID_STEP_MS * np.arange(288), COINS)
    x = rng.normal(0, 1, (len(ts_ms), len(FEATURE_NAMES))).astype(np.float32)
    x[:, SHARE] = np.abs(x[:, 0]) > 0.67
    signal = {
        "line": 0.5 * x[:, 0],
        "bend": np.abs(x[:, 0]),
        "minutes": BY_MINUTES * x[:, SHARE],
        "opposite": -BY_MINUTES * x[:, SHARE],
        "nothing": np.zeros(len(x)),
    }[kind]
    return ts_ms, x, signal[:, None] + rng.normal(0, 0.3, (len(x), STEPS))


def _learn(model: ActivityModel, kind: str, days: int) -> None:
    model.widen(COINS)
    for day in range(DAY, DAY + days):
        ts_ms, x, activity = _day(day, kind)
        coins = np.tile(np.arange(COINS), 288)
        model.judge(ts_ms, coins, np.full(len(x), 0.002), _predict(model, x), activity)
        model.keep(ts_ms, x, activity, ts_ms // GRID_STEP_MS, COINS)
        assert model.refit(DAY_MS * (day + 1))


def _predict(model: ActivityModel, x: npt.NDArray[np.float32]) -> Prediction:
    found = Prediction.unknown((len(x), STEPS))
    model.predict(x, np.arange(len(x)) % COINS, found, np.ones(len(x), dtype=bool))
    return found


def test_before_a_fit_only_a_prior_predicts(prior: Prior) -> None:
    """Without a prior nothing is known; with one its model and its minutes speak at once, and no forest."""
    rows = _day(DAY, "nothing")[1]
    models = [ActivityModel(OPTIONS, one) for one in (None, prior)]
    for model in models:
        model.widen(COINS)
    without, with_prior = (_predict(model, rows) for model in models)
    assert all(np.isnan(values).all() for values in vars(without).values())
    np.testing.assert_array_equal(with_prior.base, 0.0)
    np.testing.assert_allclose(with_prior.activity, BY_MINUTES * rows[:, SHARE, None] + np.zeros(STEPS), rtol=1e-6)
    assert np.isnan(with_prior.forest).all()


def test_minutes_can_be_left_out(prior: Prior) -> None:
    """An engine that must not use minutes predicts as if they said nothing, and learns no share from them."""
    model = ActivityModel(replace(OPTIONS, use_minutes=False), prior)
    _learn(model, "opposite", days=2)
    rows = _day(DAY + 2, "opposite")[1]
    blind = rows.copy()
    blind[:, SHARE] = 0.0
    np.testing.assert_array_equal(_predict(model, rows).activity, _predict(model, blind).activity)
    assert (model.minute_share.share == model.minute_share.start).all()


def test_the_forest_gets_a_share_where_it_sees_more_than_the_ridge() -> None:
    """Where activity bends the forest's correction is followed far, where it is a line hardly: the ridge has it."""
    shares, errors = {}, {}
    for kind in ("line", "bend"):
        model = ActivityModel(OPTIONS, None)
        _learn(model, kind, days=8)
        _, x, activity = _day(DAY + 8, kind)
        predicted = _predict(model, x)
        shares[kind] = float(model.forest_share.share[0])
        errors[kind] = [np.mean((activity - guess) ** 2) for guess in (predicted.base, predicted.activity)]
    assert shares["line"] < 0.1
    assert shares["bend"] > 0.3
    assert errors["bend"][1] < 0.9 * errors["bend"][0]
    assert errors["line"][1] < 1.01 * errors["line"][0]


def test_trees_stay_and_do_not_age_while_there_are_no_rows_to_grow_others_from() -> None:
    """Once the last sampled row is too old no tree is renewed; the first rows after that renew few, not all."""
    model = ActivityModel(OPTIONS, None)
    _learn(model, "bend", days=2)
    renewed = [_renewed_trees(model, DAY_MS * (DAY + 2 + days)) for days in (OPTIONS.sample_days, 7, 8)]
    ts_ms, x, activity = _day(DAY + 10, "bend")
    model.keep(ts_ms, x, activity, ts_ms // GRID_STEP_MS, COINS)
    renewed.append(_renewed_trees(model, DAY_MS * (DAY + 10) + HOUR_MS))
    assert renewed == [0, 0, 0, 1]


def _renewed_trees(model: ActivityModel, now_ms: int) -> int:
    assert model._forest is not None
    before = list(model._forest.forest_.estimators_)
    assert model.refit(now_ms)
    return len(before) - sum(tree in before for tree in model._forest.forest_.estimators_)


@pytest.mark.parametrize(
    ("kind", "low", "high"), [("minutes", 0.8, 1.0), ("nothing", 0.1, 0.6), ("opposite", 0.0, 0.0)]
)
def test_minutes_are_followed_as_far_as_they_helped(prior: Prior, kind: str, low: float, high: float) -> None:
    """Where they are right they keep their share, where they say nothing they lose it slowly, where wrong all of it."""
    model = ActivityModel(replace(OPTIONS, use_forest=False), prior)
    _learn(model, kind, days=5)
    assert low <= model.minute_share.share[0] <= high


def test_the_forest_is_judged_by_what_minutes_leave(prior: Prior) -> None:
    """What minutes explain already is no merit of the forest; beside a prior that says nothing of them it is."""
    silent = replace(prior, minutes=LinearModel(prior.minutes.coef, np.zeros(STEPS)))
    with_minutes, without = ActivityModel(OPTIONS, prior), ActivityModel(OPTIONS, silent)
    for model in (with_minutes, without):
        _learn(model, "minutes", days=8)
    assert with_minutes.minute_share.share[0] > 0.7
    assert without.forest_share.share[0] > with_minutes.forest_share.share[0] + 0.2


def test_the_ridge_learns_what_the_networks_leave(prior: Prior) -> None:
    """Where networks that always say one half are right, the ridge leaves the level there, however much it learns."""
    layer = np.zeros((BASE, STEPS), dtype=np.float32), np.full(STEPS, 0.5, dtype=np.float32)
    always = np.full(BASE, 9.0, dtype=np.float32)
    networks = NetworkEnsemble(-always, always, 0 * always, always, [[layer]], share=1.0)
    model = ActivityModel(replace(OPTIONS, use_forest=False), replace(prior, networks=networks))
    model.widen(COINS)
    for day in range(DAY, DAY + 8):
        ts_ms, x, noise = _day(day, "nothing")
        model.keep(ts_ms, x, 0.5 + noise, ts_ms // GRID_STEP_MS, COINS)
    model.refit(DAY_MS * (DAY + 8))
    assert _predict(model, _day(DAY, "nothing")[1]).base.mean() == pytest.approx(0.5, abs=0.02)


def test_predictions_stay_within_bounds() -> None:
    """A row far beyond all that was seen gets a finite activity that multiplies the volatility by no more than ten."""
    model = ActivityModel(replace(OPTIONS, use_forest=False), None)
    _learn(model, "line", days=1)
    rows = np.zeros((2, len(FEATURE_NAMES)), dtype=np.float32)
    rows[:, 0] = -1e6, 1e6
    activity = _predict(model, rows).activity
    assert (np.exp(activity[0]) < np.exp(activity[1])).all()
    assert ((np.exp(activity) > 0.1) & (np.exp(activity) < 10)).all()
