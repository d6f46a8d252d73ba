"""Exponentially weighted averages after n steps at once, and how low they can have fallen.

A step that keeps the share k of the past moves an average s towards x: `s = k s + (1 - k) x`. Unrolled, s is what all
steps together keep of the first s, plus each x times its own share: `1 - k` times what the steps after it keep.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from etl.arrays import FloatArray

__all__ = ["least_mean", "weighted_sum"]

_BELOW: Final = 1.0 - 1e-9
"""Keeps a lower bound below what it bounds, whatever is rounded."""


def weighted_sum(share: FloatArray, x: FloatArray) -> FloatArray:
    """Sum over n steps of x (n, coins) times its shares in several averages (n, coins, averages): (coins, averages).

    It adds step after step, so that the sum of a coin is the same bits beside any other coins.
    """
    return np.asarray(np.einsum("nca,nc->ca", share, x))


def least_mean(total: FloatArray, weight: FloatArray, kept: FloatArray | float) -> FloatArray:
    """Lower bound of `total / weight` until steps keep no more than the share `kept` of both.

    Each moves the total towards at least 0, and the weight towards 1.
    """
    return _BELOW * total * kept / (weight * kept + (1.0 - kept))
