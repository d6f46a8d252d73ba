"""Names of the arrays that features, models and local markets pass around, and which values can be prices."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from core.price_rules import MAX_PRICE

__all__ = ["BoolArray", "FloatArray", "IntArray", "RowArray", "are_prices"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

RowArray = npt.NDArray[np.float32]
"""Feature rows: half the memory, and all the precision that features have."""


def are_prices(values: FloatArray) -> BoolArray:
    """`core.price_rules.is_price` of each value."""
    return (values > 0) & (values < MAX_PRICE)
