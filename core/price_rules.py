"""Valid prices, times and coin ids, and when prices are old: one rule for replies, recordings, store and status."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["COIN_ID", "EARLIEST_MS", "MAX_PRICE", "STALE_CADENCES", "is_price", "stale_after_s"]

COIN_ID: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
"""A CoinGecko id, such as `bitcoin`."""

EARLIEST_MS: Final = 1_230_768_000_000
"""2009: no price is older than the first coin."""

MAX_PRICE: Final = 1e300
"""Upper bound of prices, so that sums and products of a few of them stay finite."""

STALE_CADENCES: Final = 3
"""A gap begins after this many cadences without an answered poll."""

_MIN_STALE_S: Final = 180.0


def stale_after_s(cadence_s: float) -> float:
    """Age in seconds from which prices that are polled at this cadence count as stale; at least three minutes."""
    return max(STALE_CADENCES * cadence_s, _MIN_STALE_S)


def is_price(value: float) -> bool:
    """Whether `value` is positive and below MAX_PRICE; NaN and infinities are not."""
    return 0 < value < MAX_PRICE
