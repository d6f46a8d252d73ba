"""Risk of a portfolio over the horizon, from joint scenarios."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from core.answers.curves import FloatArray
from core.forecast_levels import INTERVALS

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
        contributions: percent → what each position adds to the expected shortfall; negative where it lessens it.
    """

    value: float
    scenarios: int
    ranges: Mapping[int, tuple[float, float]]
    value_at_risk: Mapping[float, float]
    expected_shortfall: Mapping[float, float]
    contributions: Mapping[float, tuple[float, ...]]


def portfolio_risk(values: FloatArray, log_moves: FloatArray) -> PortfolioRisk:
    """Sum up the scenarios of a portfolio.

    Args:
        values: (c,) present values of the positions; negative for a position sold short.
        log_moves: (n, c) equally probable joint log moves of the prices.
    """
    moved = np.expm1(log_moves) * values
    worst_first = moved[np.argsort(moved.sum(axis=1))]
    changes = worst_first.sum(axis=1)
    contributions = {level: _mean_losses(worst_first, 1 - level / 100) for level in RISK_LEVELS}
    return PortfolioRisk(
        value=float(values.sum()),
        scenarios=len(changes),
        ranges={
            percent: (_quantile(changes, 50 - percent / 2), _quantile(changes, 50 + percent / 2))
            for percent in INTERVALS
        },
        value_at_risk={level: -_quantile(changes, 100 - level) for level in RISK_LEVELS},
        expected_shortfall={level: sum(losses) for level, losses in contributions.items()},
        contributions=contributions,
    )


def _quantile(changes: FloatArray, percent: float) -> float:
    """Quantile of changes that lie at the middles of equal shares of probability."""
    return float(np.percentile(changes, percent, method="hazen"))


def _mean_losses(worst_first: FloatArray, share: float) -> tuple[float, ...]:
    """Mean loss of each position (c) within the worst `share` of the scenarios (n, c), the last of them in part.

    Source: Acerbi and Tasche (2002), "On the coherence of expected shortfall"; Tasche (1999), "Risk contributions and
    performance measurement", for its split by position.
    """
    worst = share * len(worst_first)
    weights = np.clip(worst - np.arange(len(worst_first)), 0.0, 1.0)
    return tuple((-(weights @ worst_first) / worst).tolist())
