"""The two estimators: scikit-learn's conventions, agreement with scikit-learn, renewal tree by tree."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from etl.features.columns import BASE_FEATURES
from etl.features.targets import STEPS
from model.forecaster.prior import LinearModel
from model.forecaster.training_data import SufficientStatistics
from model.forecaster.volatility_models import RollingForest, VolatilityRidge

COLUMNS = len(BASE_FEATURES)


def _rows(rows: int = 600, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(0, rng.uniform(0.5, 3, COLUMNS), (rows, COLUMNS)) + rng.normal(0, 1, COLUMNS)
    y = x @ rng.normal(0, 0.1, (COLUMNS, STEPS)) + rng.normal(0, 0.5, (rows, STEPS))
    return x, y


def _prior() -> LinearModel:
    return LinearModel(np.full((COLUMNS, STEPS), 0.25), np.full(STEPS, -0.5))


def test_ridge_without_a_prior_is_scikit_learns_ridge_on_standardised_columns() -> None:
    """Running sums in three parts give the predictions of StandardScaler and Ridge with the same penalty."""
    x, y = _rows()
    parts = [SufficientStatistics.of(x[rows], y[rows]) for rows in (slice(0, 100), slice(100, 450), slice(450, None))]
    ours = VolatilityRidge(alpha=0.3).fit_statistics(parts[0] + parts[1] + parts[2])
    scaler = StandardScaler().fit(x)
    theirs = Ridge(alpha=0.3 * len(x)).fit(scaler.transform(x), y)
    np.testing.assert_allclose(ours.predict(x), theirs.predict(scaler.transform(x)), atol=1e-8)
    np.testing.assert_allclose(VolatilityRidge(alpha=0.3).fit(x, y).predict(x), ours.predict(x), atol=1e-8)


def test_a_heavy_penalty_gives_the_prior_and_no_penalty_ignores_it() -> None:
    """With a huge penalty the coefficients are the prior's; with a tiny one those of least squares."""
    x, y = _rows()
    heavy = VolatilityRidge(alpha=1e9, prior=_prior()).fit(x, y)
    light = VolatilityRidge(alpha=1e-9, prior=_prior()).fit(x, y)
    np.testing.assert_allclose(heavy.coef_, 0.25, atol=1e-6)
    exact, *_ = np.linalg.lstsq(np.column_stack([x, np.ones(len(x))]), y, rcond=None)
    np.testing.assert_allclose(light.coef_, exact[:-1], atol=1e-5)
    np.testing.assert_allclose(
        VolatilityRidge(prior=_prior()).fit_prior().predict(x), 0.25 * x.sum(1)[:, None] - 0.5 + np.zeros(STEPS)
    )


def test_few_rows_hardly_move_the_priors_level() -> None:
    """The intercept lies between the rows' and the prior's, in proportion to their weights."""
    x, y = _rows(rows=100)
    free = VolatilityRidge(alpha=1.0, prior=_prior()).fit(x, y + 7)
    bound = VolatilityRidge(alpha=1.0, prior=_prior(), prior_rows=300).fit(x, y + 7)
    expected = _prior().predict(x.mean(axis=0, keepdims=True))[0]
    level = bound.predict(x).mean(axis=0)
    np.testing.assert_allclose(level, 0.25 * free.predict(x).mean(axis=0) + 0.75 * expected, atol=1e-8)


def test_the_estimators_keep_scikit_learns_conventions() -> None:
    """Parameters survive a clone, nothing is learned before `fit`, and the wrong shape is refused."""
    for estimator in (VolatilityRidge(alpha=2.0), RollingForest(n_trees=3, random_state=4)):
        assert clone(estimator).get_params() == estimator.get_params()
        assert not [name for name in vars(estimator) if name.endswith("_")]
        with pytest.raises(NotFittedError):
            estimator.predict(np.zeros((1, COLUMNS)))
    with pytest.raises(ValueError, match="inconsistent"):
        RollingForest().fit(np.zeros((5, 2)), np.zeros((4, 2)))
    with pytest.raises(ValueError, match="no prior"):
        VolatilityRidge().fit_prior()


def test_the_forest_predicts_what_scikit_learns_own_mean_of_trees_does() -> None:
    """The fast path through the trees equals RandomForestRegressor.predict."""
    x, y = _rows()
    forest = RollingForest(n_trees=7).fit(x, y)
    np.testing.assert_allclose(forest.predict(x), forest.forest_.predict(x.astype(np.float32)), rtol=1e-10)


def test_a_renewal_costs_what_is_due() -> None:
    """Each call replaces one tree plus one per elapsed turn; after a lifetime no old tree is left."""
    x, y = _rows()
    hour = 3_600_000
    forest = RollingForest(n_trees=8, lifetime_h=8).fit(x, y, now_ms=0)
    first = list(forest.forest_.estimators_)
    assert forest.renew(x, y, hour // 2) == 1
    assert forest.forest_.estimators_[:7] == first[:7]
    assert forest.renew(x, y, 3 * hour) == 4
    assert forest.forest_.estimators_[:4] == first[3:7]
    assert forest.renew(x, y, 40 * hour) == 8
    assert not set(map(id, first)) & set(map(id, forest.forest_.estimators_))
    assert len(forest.forest_.estimators_) == 8
