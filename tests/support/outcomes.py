"""The rule of outcomes written as a plain loop, to compare the product's with."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["plain_outcome"]


def plain_outcome(ts_ms: Sequence[int], prices: Sequence[float], target_ms: int, newest_ms: int) -> float | None:
    """The last price at or before `target_ms`, at most 7.5 minutes old, once a price from `target_ms` on is known."""
    before = [(moment, price) for moment, price in zip(ts_ms, prices, strict=True) if moment <= target_ms]
    if newest_ms < target_ms or not before or target_ms - before[-1][0] > 450_000:
        return None
    return before[-1][1]
