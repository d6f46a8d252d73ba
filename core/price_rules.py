"""Valid prices, times and coin ids: one rule for replies, recordings and the price store."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["COIN_ID", "EARLIEST_MS", "MAX_PRICE", "is_price"]

COIN_ID: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
"""A CoinGecko id, such as `bitcoin`."""

EARLIEST_MS: Final = 1_230_768_000_000
"""2009: no price is older than the first coin."""

MAX_PRICE: Final = 1e300
"""Upper bound of prices, so that sums and products of a few of them stay finite."""


def is_price(value: float) -> bool:
    """Whether `value` is positive and below MAX_PRICE; NaN and infinities are not."""
    return 0 < value < MAX_PRICE
