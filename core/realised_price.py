"""How a forecast meets its outcome: one rule for live scores, the backtest, the API and the dashboard."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Final

__all__ = ["PRICE_TOLERANCE_MS", "outcome_at"]

PRICE_TOLERANCE_MS: Final = 450_000
"""A price stands for the moments after it for at most 7.5 minutes; beyond that there is a gap."""


def outcome_at(ts_ms: Sequence[int], prices: Sequence[float], target_ms: int, newest_ms: int) -> float | None:
    """The last price at or before `target_ms` that is not older than the tolerance.

    None in a gap, and while no price from `target_ms` on has arrived: until then the answer could still change.

    Args:
        ts_ms: event times in increasing order.
        prices: prices at those times.
        target_ms: origin plus horizon.
        newest_ms: event time of the coin's newest price.
    """
    index = bisect_right(ts_ms, target_ms) - 1
    if newest_ms < target_ms or index < 0 or target_ms - ts_ms[index] > PRICE_TOLERANCE_MS:
        return None
    return prices[index]
