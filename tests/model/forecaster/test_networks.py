"""Networks in plain numpy against scikit-learn's, and their silence where training saw nothing alike."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.neural_network import MLPRegressor

from model.forecaster.networks import NetworkEnsemble

INPUTS, OUTPUTS, SHARE = 5, 3, 0.7
RNG = np.random.default_rng(0)
ROWS = RNG.normal(1.0, [0.5, 1.0, 2.0, 4.0, 0.1], (400, INPUTS)).astype(np.float32)
CENTRE, SPREAD = ROWS.mean(axis=0), ROWS.std(axis=0)


@pytest.fixture(scope="module")
def fitted() -> list[MLPRegressor]:
    """Two networks after a few steps of training on a function that is not linear."""
    inputs = (ROWS - CENTRE) / SPREAD
    targets = np.stack([np.abs(inputs[:, 0]), inputs[:, 1] * inputs[:, 2], inputs[:, 3] - inputs[:, 4]], axis=1)
    networks = [MLPRegressor(hidden_layer_sizes=(16, 8), random_state=seed) for seed in range(2)]
    for network in networks:
        for _ in range(20):
            network.partial_fit(inputs, targets)
    return networks


@pytest.fixture(scope="module")
def ensemble(fitted: list[MLPRegressor]) -> NetworkEnsemble:
    """The same networks as an ensemble with bounds."""
    layers = [list(zip(one.coefs_, one.intercepts_, strict=True)) for one in fitted]
    return NetworkEnsemble(ROWS.min(axis=0), ROWS.max(axis=0), CENTRE, SPREAD, layers, SHARE)


def test_the_ensemble_is_the_share_of_scikit_learns_mean(fitted: list[MLPRegressor], ensemble: NetworkEnsemble) -> None:
    """On rows like those of the training: the mean of MLPRegressor.predict times the share, in single precision."""
    expected = SHARE * np.mean([one.predict((ROWS - CENTRE) / SPREAD) for one in fitted], axis=0)
    found = ensemble.predict(ROWS)
    assert found.dtype == np.float64
    assert np.abs(found).max() > 0.1
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("side", ["low", "high"])
def test_a_slight_excess_counts_as_the_bound(ensemble: NetworkEnsemble, side: str) -> None:
    """A row a twentieth of the range beyond a bound gets what a row on the bound gets."""
    bound, sign = getattr(ensemble, side), {"low": -1, "high": 1}[side]
    for column in range(INPUTS):
        inside, beyond = ROWS[:1].copy(), ROWS[:1].copy()
        inside[0, column] = bound[column]
        beyond[0, column] = bound[column] + sign * 0.05 * (ensemble.high - ensemble.low)[column]
        assert ensemble.in_range(beyond).all()
        np.testing.assert_array_equal(ensemble.predict(beyond), ensemble.predict(inside))


@pytest.mark.parametrize("ranges", [-np.inf, -2.0, 2.0, np.inf, np.nan])
def test_a_row_far_out_of_range_gets_nothing(ensemble: NetworkEnsemble, ranges: float) -> None:
    """One input far beyond what training saw, or unknown, silences the networks for its row and for no other."""
    rows = ROWS[:INPUTS].copy()
    for column in range(INPUTS - 1):
        rows[column, column] = ensemble.low[column] + ranges * (ensemble.high - ensemble.low)[column]
    assert ensemble.in_range(rows).tolist() == [False] * (INPUTS - 1) + [True]
    found = ensemble.predict(rows)
    np.testing.assert_array_equal(found[:-1], 0.0)
    np.testing.assert_allclose(found[-1:], ensemble.predict(ROWS[INPUTS - 1 : INPUTS]), rtol=1e-5)
