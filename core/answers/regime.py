"""How lively the market of a coin is expected to be, compared with its last two weeks."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

__all__ = ["AGITATED_ABOVE", "CALM_BELOW", "Regime", "regime"]

CALM_BELOW: Final = 25.0
AGITATED_ABOVE: Final = 75.0


class Regime(StrEnum):
    """Expected activity: the lowest quarter of a coin's own hours, the middle half, or the highest quarter."""

    CALM = "calm"
    NORMAL = "normal"
    AGITATED = "agitated"


def regime(activity_percentile: float | None) -> Regime | None:
    """The regime at a percentile (0-100) of the predicted scale among the coin's own hours; None when unknown."""
    if activity_percentile is None:
        return None
    if activity_percentile < CALM_BELOW:
        return Regime.CALM
    return Regime.AGITATED if activity_percentile > AGITATED_ABOVE else Regime.NORMAL
