"""The gate: coin by coin, the forest publishes only while it has not been worse than the baseline of late."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from model.calibration import LEVELS

__all__ = ["Gate", "interval_loss"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

_TAIL: Final[FloatArray] = (1.0 - LEVELS) / 2


def interval_loss(move: FloatArray, half_width: FloatArray) -> FloatArray:
    """Return the pinball loss (...) of a log move (...), averaged over the nine quantiles 0, ± half_width (...,
    LEVELS).

    For a pair of quantiles ± w at tail probability a, the two losses add up to 2 a w + max(|y| - w, 0); the median's
    is |y| / 2.
    """
    size = np.abs(move)
    pairs = 2.0 * _TAIL * half_width + np.maximum(size[..., None] - half_width, 0.0)
    return np.asarray((pairs.sum(axis=-1) + 0.5 * size) / 9.0)


class Gate:
    """Keeps, per coin, an exponentially weighted mean of (forest's loss - baseline's loss) / baseline's loss.

    An outcome `half_life_rows` grid rows ago counts half. A coin without a record passes.
    """

    def __init__(self, half_life_rows: float) -> None:
        self.half_life_rows = half_life_rows
        self._forest = np.zeros(0)
        self._baseline = np.zeros(0)

    def widen(self, coins: int) -> None:
        """Make room for `coins` coins."""
        missing = coins - len(self._forest)
        self._forest = np.concatenate([self._forest, np.zeros(missing)])
        self._baseline = np.concatenate([self._baseline, np.zeros(missing)])

    def learn(self, ts_ms: IntArray, coins: IntArray, forest: FloatArray, baseline: FloatArray) -> None:
        """Learn from losses (n,) of both on the same outcomes of coins (n,); NaN is no outcome.

        Records fade with the number of moments in `ts_ms`; within one call all outcomes weigh the same.
        """
        known = np.isfinite(forest) & np.isfinite(baseline)
        decay = 0.5 ** (len(np.unique(ts_ms)) / self.half_life_rows)
        self._forest *= decay
        self._baseline *= decay
        np.add.at(self._forest, coins[known], forest[known])
        np.add.at(self._baseline, coins[known], baseline[known])

    def passes(self, coins: IntArray) -> npt.NDArray[np.bool_]:
        """Tell for each coin whether the forest's recent loss is not above the baseline's."""
        return np.asarray(self._forest[coins] <= self._baseline[coins])

    def ratio(self, coins: IntArray) -> FloatArray:
        """Return forest's recent loss / baseline's per coin, NaN without a record."""
        baseline = self._baseline[coins]
        return np.asarray(self._forest[coins] / np.where(baseline > 0, baseline, np.nan))
