"""The volatility forecaster: a linear model and a random forest that predict how much prices will move.

Target of both, for each of the 12 horizons: the log of the mean absolute 5-minute return over the horizon, in units
of the coin's recent spread (`targets`). The forest sees interactions; the line extrapolates a burst that no tree
has seen. Their mean on the log scale is the forecast.

Both follow scikit-learn's conventions: parameters are stored untouched by `__init__`, what is learned ends in an
underscore.
"""

from __future__ import annotations

from typing import Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.ensemble import RandomForestRegressor
from sklearn.utils.validation import check_array, check_is_fitted, check_X_y

from core.times import HOUR_MS
from etl.arrays import FloatArray, RowArray
from model.forecaster.prior import Prior
from model.forecaster.training_data import Moments

__all__ = ["RollingForest", "VolatilityRidge"]


class VolatilityRidge(RegressorMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn publishes no types
    """Ridge regression on standardised columns, shrunk towards a prior's coefficients (or towards zero without one).

    Parameters
    ----------
    alpha : penalty on the distance from the prior, in units of the correlation matrix.
    prior : coefficients to shrink towards.
    prior_rows : how many rows the prior's level (intercept) is worth.
    """

    def __init__(self, alpha: float = 0.1, prior: Prior | None = None, prior_rows: float = 0.0) -> None:
        self.alpha = alpha
        self.prior = prior
        self.prior_rows = prior_rows

    def fit(self, x: npt.ArrayLike, y: npt.ArrayLike) -> Self:
        """Fit to rows `x` (n, p) and targets `y` (n, q)."""
        rows, targets = check_X_y(x, y, multi_output=True, y_numeric=True)
        return self.fit_moments(Moments.of(rows, targets.reshape(len(rows), -1)))

    def fit_moments(self, moments: Moments) -> Self:
        """Fit to running sums; the rows themselves are not needed."""
        rows = moments.xx[-1, -1]
        mean_x, mean_y = moments.xx[-1, :-1] / rows, moments.xy[-1] / rows
        covariance = moments.xx[:-1, :-1] / rows - np.outer(mean_x, mean_x)
        cross = moments.xy[:-1] / rows - np.outer(mean_x, mean_y)
        spread = np.sqrt(np.maximum(np.diag(covariance), 1e-6))
        target = np.zeros_like(cross) if self.prior is None else self.prior.coef * spread[:, None]
        system = covariance / np.outer(spread, spread) + self.alpha * np.eye(len(spread))
        self.coef_ = np.linalg.solve(system, cross / spread[:, None] + self.alpha * target) / spread[:, None]
        self.intercept_ = mean_y - mean_x @ self.coef_
        if self.prior is not None and self.prior_rows:
            expected = mean_x @ (self.prior.coef - self.coef_) + self.prior.intercept
            trust = rows / (rows + self.prior_rows)
            self.intercept_ = trust * self.intercept_ + (1.0 - trust) * expected
        self.n_features_in_ = len(spread)
        return self

    def fit_prior(self) -> Self:
        """Take the prior as it is: the model before any data."""
        if self.prior is None:
            msg = "there is no prior to start from"
            raise ValueError(msg)
        self.coef_, self.intercept_ = self.prior.coef, self.prior.intercept
        self.n_features_in_ = len(self.coef_)
        return self

    def predict(self, x: npt.ArrayLike) -> FloatArray:
        """Return the predictions (n, q) for rows `x` (n, p)."""
        check_is_fitted(self)
        return np.asarray(check_array(x, dtype=np.float64) @ self.coef_ + self.intercept_)


class RollingForest(RegressorMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn publishes no types
    """A multi-output random forest renewed a few trees at a time, oldest first.

    `fit` grows all trees. `renew` replaces the newest tree at every call, so that each call learns from the newest
    rows at the price of one tree, and as many of the oldest as have outlived their turn: with n trees and a lifetime
    L, one every L / n. The trees of a running forest therefore come from training windows of many ages, which
    together cover more days than one window.

    Parameters
    ----------
    n_trees : trees in the forest.
    lifetime_h : hours until every tree has been replaced.
    min_samples_leaf, max_features : as in `RandomForestRegressor`.
    max_samples : share of the rows that a tree is grown from, but no fewer than two leaves' worth.
    n_jobs : threads; the result does not depend on it.
    random_state : seed; tree number k of a forest's life is the same for the same seed and rows.
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
        """Replace the newest tree and those whose turn has come; return how many trees were grown."""
        check_is_fitted(self)
        rows, targets = check_X_y(x, y, multi_output=True, y_numeric=True, dtype=np.float32)
        spacing_ms = (self.lifetime_h if lifetime_h is None else lifetime_h) * HOUR_MS / self.n_trees
        due = int(np.clip((now_ms - self.turn_ms_) // spacing_ms, 0, self.n_trees - 1))
        self.turn_ms_ = int(now_ms if due == self.n_trees - 1 else self.turn_ms_ + due * spacing_ms)
        self.forest_.estimators_ = self.forest_.estimators_[due:-1]
        self._grow(rows, targets, due + 1)
        return due + 1

    def _grow(self, x: RowArray, y: RowArray, trees: int) -> None:
        kept = len(getattr(self.forest_, "estimators_", ()))
        drawn = max(int(self.max_samples * len(x)), min(len(x), 2 * self.min_samples_leaf))
        seed = self.random_state * 1_000_003 + self.grown_
        self.forest_.set_params(n_estimators=kept + trees, max_samples=drawn, random_state=seed)
        self.forest_.fit(x, y)
        self.grown_ += trees

    def predict(self, x: npt.ArrayLike) -> FloatArray:
        """Return the mean of the trees (n, q) for rows `x` (n, p)."""
        check_is_fitted(self)
        rows = np.ascontiguousarray(check_array(x, dtype=np.float32))
        total = np.zeros((len(rows), self.forest_.n_outputs_))
        for tree in self.forest_.estimators_:
            total += tree.tree_.predict(rows).reshape(total.shape)
        return np.asarray(total / len(self.forest_.estimators_))
