"""The two regressors that predict how much prices will move: a ridge and a random forest.

Target of both, for each of the 12 horizons, is the log activity: the log of the mean absolute 5-minute return over
the horizon, in units of the coin's fast volatility (`etl.features.targets`). The forest sees interactions; the ridge
extrapolates a burst that no tree has seen. Their weighted mean is the forecast.

Both follow scikit-learn's conventions: `__init__` stores parameters untouched, learned attributes end in an
underscore.
"""

from __future__ import annotations

from typing import Final, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.ensemble import RandomForestRegressor
from sklearn.utils.validation import check_array, check_is_fitted, check_X_y

from core.times import HOUR_MS
from etl.arrays import FloatArray, RowArray
from model.forecaster.prior import LinearModel
from model.forecaster.training_data import SufficientStatistics

__all__ = ["RollingForest", "VolatilityRidge"]

_MIN_VARIANCE: Final = 1e-6
"""A column that never changes is not divided by zero."""

_SEED_STRIDE: Final = 1_000_003
"""A prime between the seeds of two forests, so that their trees do not share seeds."""


class VolatilityRidge(RegressorMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn publishes no types
    """Ridge regression on standardised columns, shrunk towards a prior's coefficients, or towards zero without one.

    Source: Hoerl and Kennard (1970), "Ridge regression: biased estimation for nonorthogonal problems".

    Args:
        alpha: penalty on the distance from the prior, in units of the correlation matrix.
        prior: coefficients to shrink towards.
        prior_rows: how many rows the prior's level (intercept) is worth.
    """

    def __init__(self, alpha: float = 0.1, prior: LinearModel | None = None, prior_rows: float = 0.0) -> None:
        self.alpha = alpha
        self.prior = prior
        self.prior_rows = prior_rows

    def fit(self, x: npt.ArrayLike, y: npt.ArrayLike) -> Self:
        """Fit to rows `x` (n, p) and targets `y` (n, q)."""
        rows, targets = check_X_y(x, y, multi_output=True, y_numeric=True)
        return self.fit_statistics(SufficientStatistics.of(rows, targets.reshape(len(rows), -1)))

    def fit_statistics(self, statistics: SufficientStatistics) -> Self:
        """Fit to sums over the rows; the rows themselves are not needed."""
        rows = statistics.xx[-1, -1]
        mean_x, mean_y = statistics.xx[-1, :-1] / rows, statistics.xy[-1] / rows
        covariance = statistics.xx[:-1, :-1] / rows - np.outer(mean_x, mean_x)
        cross = statistics.xy[:-1] / rows - np.outer(mean_x, mean_y)
        deviation = np.sqrt(np.maximum(np.diag(covariance), _MIN_VARIANCE))
        target = np.zeros_like(cross) if self.prior is None else self.prior.coef * deviation[:, None]
        system = covariance / np.outer(deviation, deviation) + self.alpha * np.eye(len(deviation))
        solution = np.linalg.solve(system, cross / deviation[:, None] + self.alpha * target)
        self.coef_ = solution / deviation[:, None]
        self.intercept_ = mean_y - mean_x @ self.coef_
        if self.prior is not None and self.prior_rows:
            expected = mean_x @ (self.prior.coef - self.coef_) + self.prior.intercept
            trust = rows / (rows + self.prior_rows)
            self.intercept_ = trust * self.intercept_ + (1.0 - trust) * expected
        self.n_features_in_ = len(deviation)
        return self

    def fit_prior(self) -> Self:
        """Take the prior's coefficients as they are: the model before any data."""
        if self.prior is None:
            msg = "there is no prior to start from"
            raise ValueError(msg)
        self.coef_, self.intercept_ = self.prior.coef, self.prior.intercept
        self.n_features_in_ = len(self.coef_)
        return self

    def predict(self, x: npt.ArrayLike) -> FloatArray:
        """Predictions (n, q) for rows `x` (n, p)."""
        check_is_fitted(self)
        return np.asarray(check_array(x, dtype=np.float64) @ self.coef_ + self.intercept_)


class RollingForest(RegressorMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn publishes no types
    """A multi-output random forest that replaces a few trees at a time instead of all at every fit.

    `fit` grows all trees. `renew` replaces the newest tree at every call, so that each call learns from the newest
    rows at the cost of one tree, and the oldest trees as they reach their lifetime L: with n trees, one every L / n.
    The trees of a running forest therefore come from training windows of many ages, which together cover more days
    than one window. Against a forest grown again at every refit this loses at most 0.0004 of relative pinball loss
    (docs/forecasting.md, "loss from learning within a budget").

    Source of the forest itself: Breiman (2001), "Random forests".

    Args:
        n_trees: trees in the forest.
        lifetime_h: hours until every tree has been replaced.
        min_samples_leaf: as in `RandomForestRegressor`.
        max_features: as in `RandomForestRegressor`.
        max_samples: share of the rows that a tree is grown from, but no fewer than two leaves' worth.
        n_jobs: threads; the result does not depend on it.
        random_state: seed; tree number k of a forest's life is the same for the same seed and rows.
    """

    def __init__(
        self,
        *,
        n_trees: int = 40,
        lifetime_h: float = 168.0,
        min_samples_leaf: int = 30,
        max_features: float = 0.2,
        max_samples: float = 0.25,
        n_jobs: int = 1,
        random_state: int = 0,
    ) -> None:
        self.n_trees = n_trees
        self.lifetime_h = lifetime_h
        self.min_samples_leaf = min_samples_leaf
        self.max_features = max_features
        self.max_samples = max_samples
        self.n_jobs = n_jobs
        self.random_state = random_state

    def fit(self, x: npt.ArrayLike, y: npt.ArrayLike, now_ms: int = 0) -> Self:
        """Grow the whole forest on rows `x` (n, p) and targets `y` (n, q) as of `now_ms`."""
        rows, targets = check_X_y(x, y, multi_output=True, y_numeric=True, dtype=np.float32)
        self.forest_ = RandomForestRegressor(
            n_estimators=0,
            min_samples_leaf=self.min_samples_leaf,
            max_features=self.max_features,
            n_jobs=self.n_jobs,
            warm_start=True,
        )
        self.grown_ = 0
        self.turn_ms_ = now_ms
        self.n_features_in_ = rows.shape[1]
        self._grow(rows, targets, self.n_trees)
        return self

    def renew(self, x: npt.ArrayLike, y: npt.ArrayLike, now_ms: int, lifetime_h: float | None = None) -> int:
        """Replace the newest tree and those that have reached their lifetime.

        Args:
            x: rows (n, p).
            y: targets (n, q).
            now_ms: time of the refit, in UTC milliseconds.
            lifetime_h: lifetime for this call, in place of the forest's own.

        Returns:
            The number of trees grown.
        """
        check_is_fitted(self)
        rows, targets = check_X_y(x, y, multi_output=True, y_numeric=True, dtype=np.float32)
        spacing_ms = (self.lifetime_h if lifetime_h is None else lifetime_h) * HOUR_MS / self.n_trees
        due = int(np.clip((now_ms - self.turn_ms_) // spacing_ms, 0, self.n_trees - 1))
        self.turn_ms_ = int(now_ms if due == self.n_trees - 1 else self.turn_ms_ + due * spacing_ms)
        self.forest_.estimators_ = self.forest_.estimators_[due:-1]
        self._grow(rows, targets, due + 1)
        return due + 1

    def wait(self, now_ms: int) -> None:
        """Keep all trees; until `now_ms`, while there are no rows, none of them grows older."""
        check_is_fitted(self)
        self.turn_ms_ = now_ms

    def _grow(self, x: RowArray, y: RowArray, trees: int) -> None:
        kept = len(getattr(self.forest_, "estimators_", ()))
        drawn = max(int(self.max_samples * len(x)), min(len(x), 2 * self.min_samples_leaf))
        seed = self.random_state * _SEED_STRIDE + self.grown_
        self.forest_.set_params(n_estimators=kept + trees, max_samples=drawn, random_state=seed)
        self.forest_.fit(x, y)
        self.grown_ += trees

    def predict(self, x: npt.ArrayLike) -> FloatArray:
        """Mean of the trees (n, q) for rows `x` (n, p)."""
        check_is_fitted(self)
        rows = np.ascontiguousarray(check_array(x, dtype=np.float32))
        total = np.zeros((len(rows), self.forest_.n_outputs_))
        for tree in self.forest_.estimators_:
            total += tree.tree_.predict(rows).reshape(total.shape)
        return np.asarray(total / len(self.forest_.estimators_))
