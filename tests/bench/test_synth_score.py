"""Synth's score: the estimator against a slow one and a closed form, and which changes are scored."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from bench.synth_score import changes, crps, score

GAPS = {f"0_{minutes}min_gaps": minutes for minutes in range(5, 65, 5)}
INTERVALS = {"1min": 1, "2min": 2, "5min": 5, "15min": 15, "30min": 30, **GAPS, "60min_abs": 60}
"""The public rule's intervals, in minutes."""


def _paths(number: int, seed: int = 0) -> Any:
    steps = np.random.default_rng(seed).normal(0, 1e-3, (number, 60)).cumsum(axis=1)
    return 250.0 * np.exp(np.column_stack([np.zeros(number), steps]))


def _slow_crps(ensemble: Any, observed: float) -> float:
    distance = np.mean([abs(member - observed) for member in ensemble])
    spread = np.mean([abs(one - other) for one in ensemble for other in ensemble])
    return float(distance - spread / 2)


def test_the_estimator_is_the_double_sum_of_its_definition() -> None:
    """Ensembles with ties, of odd size, and observations inside and outside them agree with all pairs counted."""
    ensemble = np.random.default_rng(1).normal(0, 3, (31, 4)).round()
    observed = np.array([0.4, -9.0, 12.0, float(ensemble[3, 3])])
    expected = [_slow_crps(ensemble[:, column], observed[column]) for column in range(4)]
    np.testing.assert_allclose(crps(ensemble, observed), expected, rtol=1e-12)


@pytest.mark.parametrize("observed", [-4.0, 0.0, 1.3, 9.0])
def test_a_large_normal_ensemble_has_the_closed_form(observed: float) -> None:
    """20,000 evenly spaced quantiles of a normal distribution score as it does (Gneiting and Raftery 2007, 4.2)."""
    mean, deviation = 0.5, 2.0
    ensemble = norm.ppf((np.arange(20_000) + 0.5) / 20_000, mean, deviation)
    z = (observed - mean) / deviation
    expected = deviation * (z * (2 * norm.cdf(z) - 1) + 2 * norm.pdf(z) - 1 / np.sqrt(np.pi))
    assert crps(ensemble[:, None], np.array([observed]))[0] == pytest.approx(expected, rel=1e-3)


def test_the_scored_changes_are_those_of_the_eighteen_intervals() -> None:
    """Cut one interval after the other, as the public rule says: 121 numbers, the same in any order."""
    path = _paths(1)[0]
    final = 251.0
    expected = []
    for name, minutes in INTERVALS.items():
        marks = path[::minutes][:2] if name.endswith("_gaps") else path[::minutes]
        if name.endswith("_abs"):
            expected += [1e4 * mark / final for mark in marks[1:]]
        else:
            expected += [1e4 * (after - before) / before for before, after in pairwise(marks)]
    found = changes(path[None], final)[0]
    assert len(INTERVALS) == 18
    assert len(expected) == 121
    np.testing.assert_allclose(np.sort(found), np.sort(expected), rtol=1e-9)


def test_the_score_sums_over_all_changes() -> None:
    """The score is the sum of slow scores of every change; a real path equal to every path of the ensemble scores 0."""
    paths, real = _paths(7), _paths(1, seed=5)[0]
    members, observed = changes(paths, real[-1]), changes(real[None], real[-1])[0]
    expected = sum(_slow_crps(members[:, column], value) for column, value in enumerate(observed))
    assert score(paths, real) == pytest.approx(expected)
    assert score(np.tile(real, (5, 1)), real) == pytest.approx(0.0, abs=1e-9)
