"""The score of Synth's one-hour task (Bittensor subnet 50): CRPS in basis points, summed over price changes.

The rules, as its validators apply them (github.com/synthdataco/synth-subnet, README 1.2 and 1.3,
synth/validator/crps_calculation.py and competition_config.py, "Crypto 1h"):

- A forecast is 1,000 paths of 61 prices, one a minute, from the start to an hour later.
- A path is cut into changes in basis points of the price before them, at 18 intervals: without overlap over 1, 2, 5, 15
  and 30 minutes; from the start to each multiple of 5 minutes up to 60; and the price after 60 minutes itself, in
  basis points of the real one. That makes 121 changes.
- Each change has the continuous ranked probability score of the ensemble, mean |y_n - x| - mean |y_n - y_m| / 2 over
  all n and m, n = m included. The score is the sum of the 121; lower is better.

Later releases add a score of the volatility in blocks of 5, 15 and 60 minutes. It is left out here, as in the search
whose ratio docs/forecasting.md quotes.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from etl.arrays import FloatArray

__all__ = ["MINUTES", "PATHS", "changes", "crps", "score"]

MINUTES: Final = 60
PATHS: Final = 1000
_STEPS: Final = (1, 2, 5, 15, 30)
_OFFSETS: Final = range(5, MINUTES + 1, 5)
_BASIS_POINTS: Final = 1e4


def changes(prices: FloatArray, final: float) -> FloatArray:
    """The 121 scored numbers (n, 121) of paths (n, 61), in basis points.

    Args:
        prices: a price a minute, any unit.
        final: the real price after an hour, in the same unit.
    """
    columns = []
    for step in _STEPS:
        marks = prices[:, ::step]
        columns.append(marks[:, 1:] / marks[:, :-1] - 1.0)
    columns.append(prices[:, list(_OFFSETS)] / prices[:, :1] - 1.0)
    columns.append(prices[:, MINUTES:] / final)
    return np.concatenate(columns, axis=1) * _BASIS_POINTS


def crps(ensemble: FloatArray, observed: FloatArray) -> FloatArray:
    """Continuous ranked probability scores (k,) of ensembles (n, k) for what was observed (k,)."""
    members = len(ensemble)
    ranks = 2.0 * np.arange(1, members + 1) - members - 1.0
    spread = ranks @ np.sort(ensemble, axis=0) / members**2
    return np.asarray(np.abs(ensemble - observed).mean(axis=0) - spread)


def score(paths: FloatArray, real: FloatArray) -> float:
    """Synth's score of paths (n, 61) for the real prices (61,); lower is better."""
    final = float(real[-1])
    return float(crps(changes(paths, final), changes(real[None], final)[0]).sum())
