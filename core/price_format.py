"""With how many decimals a price is shown: the same in the console, in a report and in the dashboard."""

from __future__ import annotations

import math
from typing import Final

__all__ = ["MOST_DECIMALS", "price_decimals"]

MOST_DECIMALS: Final = 18


def price_decimals(price: float) -> int:
    """Decimals that show a small move: 2 for dear coins, 8 for 0.00002431, none for millions."""
    if not math.isfinite(price) or price <= 0:
        return 2
    magnitude = math.floor(math.log10(price))
    decimals = 4 - magnitude if magnitude >= 0 else 3 - magnitude
    return min(max(decimals, 0 if price >= 1e6 else 2), MOST_DECIMALS)
