"""Risk of a portfolio over the horizon, from joint scenarios."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from core.answers.curves import FloatArray
from core.forecast_schema import INTERVALS

__all__ = ["RISK_LEVELS", "PortfolioRisk", "portfolio_risk"]

RISK_LEVELS: Final = (95.0, 97.5)
"""Confidence of value at risk and expected shortfall, in percent."""


@dataclass(frozen=True)
class PortfolioRisk:
    """What a portfolio may gain or lose, in the currency of its values.

    Attributes:
        value: present value.
        scenarios: their number.
        ranges: percent → smallest and largest change of that central range.
        value_at_risk: percent → loss that is not exceeded with that confidence; negative where even that is a gain.
        expected_shortfall: percent → mean loss of the other, worst scenarios.
    """

    value: float
    scenarios: int
    ranges: Mapping[int, tuple[float, float]]
    value_at_risk: Mapping[float, float]
    expected_shortfall: Mapping[float, float]


def portfolio_risk(values: FloatArray, log_moves: FloatArray) -> PortfolioRisk:
    """Sum up the scenarios of a portfolio.

    Args:
        values: (c,) present values of the positions; negative for a position sold short.
        log_moves: (n, c) equally probable joint log moves of the prices.
    """
    changes = np.sort(np.expm1(log_moves) @ values)
    return PortfolioRisk(
        value=float(values.sum()),
        scenarios=len(changes),
        ranges={
            percent: (_quantile(changes, 50 - percent / 2), _quantile(changes, 50 + percent / 2))
            for percent in INTERVALS
        },
        value_at_risk={level: -_quantile(changes, 100 - level) for level in RISK_LEVELS},
        expected_shortfall={level: _expected_shortfall(changes, 1 - level / 100) for level in RISK_LEVELS},
    )


def _quantile(changes: FloatArray, percent: float) -> float:
    """Quantile of changes that lie at the middles of equal shares of probability."""
    return float(np.percentile(changes, percent, method="hazen"))


def _expected_shortfall(changes: FloatArray, share: float) -> float:
    """Mean loss within the worst `share` of sorted changes, the last of them in part.

    Source: Acerbi and Tasche (2002), "On the coherence of expected shortfall".
    """
    worst = share * len(changes)
    weights = np.clip(worst - np.arange(len(changes)), 0.0, 1.0)
    return float(-(weights @ changes) / worst)
