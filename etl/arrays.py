"""Names of the arrays that features, models and local markets pass around."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["BoolArray", "FloatArray", "IntArray", "RowArray"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

RowArray = npt.NDArray[np.float32]
"""Feature rows: half the memory, and all the precision that features have."""
