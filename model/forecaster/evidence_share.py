"""How much of a correction is published: as much as its record out of sample supports, group of coins by group.

A correction d that is added with a share s to a forecast with the residual r changes the squared error by
s² d² - 2 s d r. So the best share is the sum of d r over the sum of d². The share in use is that one, drawn towards
a first belief and lowered by its standard error, between 0 and a limit.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from core.times import DAY_MS
from etl.arrays import FloatArray, IntArray

__all__ = ["GROUPS", "CoinGroups", "EvidenceShare"]

GROUPS: Final = 3
"""Calm, middling and lively coins: terciles of their volatility."""

_MIN_COINS: Final = 9
"""With fewer coins all are one group."""

_MEMORY: Final = 0.02
"""Weight of one more row in a coin's mean log volatility."""


class CoinGroups:
    """Sorts coins into terciles of their volatility."""

    def __init__(self) -> None:
        self._level = np.zeros(0)
        self._known = np.zeros(0, dtype=bool)

    def widen(self, coins: int) -> None:
        """Make room for `coins` coins."""
        missing = coins - len(self._level)
        self._level = np.concatenate([self._level, np.zeros(missing)])
        self._known = np.concatenate([self._known, np.zeros(missing, dtype=bool)])

    def forget(self, coins: IntArray) -> None:
        """Reset coins (k,): other coins have taken their numbers."""
        self._level[coins], self._known[coins] = 0.0, False

    def learn(self, coins: IntArray, vol_fast: FloatArray) -> None:
        """Take in volatilities (n,) of coins (n,): many rows of one coin weigh as much at once as one by one."""
        rows = np.bincount(coins, minlength=len(self._level))
        mean = np.bincount(coins, np.log(vol_fast), len(self._level)) / np.maximum(rows, 1)
        weight = np.where(self._known, 1.0 - (1.0 - _MEMORY) ** rows, rows > 0)
        self._level += weight * (mean - self._level)
        self._known |= rows > 0

    def of(self, coins: IntArray) -> IntArray:
        """Group (n,) of coins (n,); 0 for all while few are known, the middle one for a coin not yet learned."""
        known = self._level[self._known]
        if len(known) < _MIN_COINS:
            return np.zeros(len(coins), dtype=np.int64)
        bounds = np.quantile(known, np.arange(1, GROUPS) / GROUPS)
        group = np.searchsorted(bounds, self._level[coins]).astype(np.int64)
        return np.where(self._known[coins], group, GROUPS // 2)


class EvidenceShare:
    """Learns the share of one correction from outcomes that came after it.

    Args:
        days: window of the evidence.
        start: the share believed before any outcome.
        start_days: how many usual days that belief is worth.
        errors: standard errors, with days as blocks, that the share is lowered by.
        limit: largest share.

    Attributes:
        share: share in use, by group (GROUPS,).
    """

    def __init__(self, days: int, start: float, start_days: float, errors: float, limit: float) -> None:
        self.days = days
        self.start = start
        self.start_days = start_days
        self.errors = errors
        self.limit = limit
        self.share: FloatArray = np.full(GROUPS, start)
        self._sums: dict[int, FloatArray] = {}

    def learn(self, ts_ms: IntArray, group: IntArray, correction: FloatArray, residual: FloatArray) -> None:
        """Take in outcomes.

        Args:
            ts_ms: times of the rows (n,).
            group: groups of their coins (n,).
            correction: what was predicted (n, outputs), before it was multiplied by a share; NaN where nothing was.
            residual: outcome minus the forecast without the correction (n, outputs).
        """
        known = np.isfinite(correction) & np.isfinite(residual)
        gain = np.where(known, correction * residual, 0.0).sum(axis=-1)
        cost = np.where(known, correction * correction, 0.0).sum(axis=-1)
        days = ts_ms // DAY_MS
        for day in np.unique(days[cost > 0]):
            rows = days == day
            sums = np.stack([np.bincount(group[rows], one[rows], GROUPS) for one in (gain, cost)]).astype(np.float64)
            known_sums = self._sums.get(int(day))
            self._sums[int(day)] = sums if known_sums is None else known_sums + sums

    def refit(self, now_ms: int) -> None:
        """Forget old days and measure the share again."""
        oldest = now_ms // DAY_MS - self.days
        self._sums = {day: sums for day, sums in self._sums.items() if day >= oldest}
        if not self._sums:
            self.share = np.full(GROUPS, self.start)
            return
        gain, cost = np.stack([self._sums[day] for day in sorted(self._sums)], axis=1)
        belief = self.start_days * cost.mean(axis=0)
        total = np.maximum(cost.sum(axis=0) + belief, 1e-12)
        best = (gain.sum(axis=0) + self.start * belief) / total
        error = np.sqrt(((gain - best * cost) ** 2).sum(axis=0)) / total
        known = cost.sum(axis=0) > 0
        self.share = np.where(known, np.clip(best - self.errors * error, 0.0, self.limit), self.start)
