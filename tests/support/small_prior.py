"""A prior that takes no training, for tests that must not depend on the shipped one."""

from __future__ import annotations

import itertools
from typing import Final

import numpy as np

from etl.features.columns import BASE_FEATURES, FEATURE_NAMES
from etl.features.targets import STEPS
from model.forecaster.networks import NetworkEnsemble
from model.forecaster.prior import SHAPE_LEVELS, LinearModel, Prior, minute_inputs

__all__ = ["HIDDEN", "small_prior"]

HIDDEN: Final = (6, 4)
"""Widths of the hidden layers."""


def small_prior() -> Prior:
    """A prior of drawn numbers, for rows of FEATURE_NAMES within -1 and 1, with two networks of two hidden layers."""
    rng = np.random.default_rng(0)
    sizes = (len(BASE_FEATURES), *HIDDEN, STEPS)
    networks = [
        [
            (rng.normal(0, 0.3, (before, after)).astype(np.float32), rng.normal(0, 0.3, after).astype(np.float32))
            for before, after in itertools.pairwise(sizes)
        ]
        for _ in range(2)
    ]
    low, high, centre, spread = (
        np.full(len(BASE_FEATURES), value, dtype=np.float32) for value in (-1.0, 1.0, 0.1, 0.6)
    )
    columns = np.zeros(len(FEATURE_NAMES))
    inputs = minute_inputs(columns[None].astype(np.float32), np.zeros(1)).shape[1]
    shape = np.tile(np.array(SHAPE_LEVELS) * 2, (STEPS, 1))
    return Prior(
        linear=LinearModel(rng.normal(0, 0.1, (len(BASE_FEATURES), STEPS)), rng.normal(0, 0.1, STEPS)),
        networks=NetworkEnsemble(low, high, centre, spread, networks, share=0.85),
        minutes=LinearModel(rng.normal(0, 0.1, (inputs, STEPS)), rng.normal(0, 0.1, STEPS)),
        minute_centre=rng.normal(0, 0.5, inputs - len(BASE_FEATURES) - 1),
        shape=shape,
        baseline_shape=1.5 * shape,
        provenance={"recordings": [{"name": "março.parquet"}]},
    )
