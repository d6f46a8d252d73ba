"""Scores logged forecasts live: each one once, when its outcome is known.

The forecasts still pending, and the last origin seen of each coin, are published in the same step as the scores
(`scorer_state`), so that a crash at any time neither loses a score nor counts one twice.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

import numpy as np
import pyarrow as pa

from core.accuracy.scores import SCORE_SCHEMA, add_up
from core.forecast_schema import FORECAST_SCHEMA, QUANTILE_COLUMNS, REACH_COLUMNS
from core.publishing.publisher import Publisher
from core.times import FOREVER_MS, HOUR_MS
from etl.arrays import BoolArray, IntArray
from model.scoring.judge import Judge, PriceJudge, Prices, targets_ms
from model.scoring.naive_benchmark import renewal_ms
from model.scoring.scorer_state import ScoreState, numbered_coins, origins_ms

__all__ = ["GIVE_UP_MS", "LiveScorer"]

GIVE_UP_MS: Final = 48 * HOUR_MS
"""A gap this old is not filled any more: its forecasts stay without a score."""

_SCORED: Final = (
    "coin",
    "origin",
    "horizon_min",
    "price_origin",
    "mean",
    *QUANTILE_COLUMNS,
    "p_up",
    *REACH_COLUMNS,
    "kind",
)
"""The columns of a forecast that its score depends on; the others need not wait in memory."""

_log = logging.getLogger(__name__)


class LiveScorer:
    """Reads the published log and appends score rows; only the holder of the pipeline's lock may have one.

    Args:
        publisher: has the log.
        renewals: benchmarks renewed in one step, each of which reads 14 days of prices; the forecasts of other coins
            wait for the next. None: no limit.
    """

    def __init__(self, publisher: Publisher, renewals: int | None = None) -> None:
        self._publisher = publisher
        self._renewals = renewals
        self._renewed_ms: dict[str, int] = {}
        self._judge = PriceJudge()
        self._state = ScoreState.read(publisher)
        self._seen = {part.file for part in publisher.manifest.parts.get("log", ())}
        logged = publisher.read("log", since_ms=self._state.since_ms())
        self._pending = self._state.open_rows(_joined(logged))
        self._state = self._state.seen(self._pending)

    @property
    def pending(self) -> int:
        """Logged forecasts whose outcome is not known yet."""
        return len(self._pending)

    def step(self, prices: Prices, judge: Judge | None = None) -> pa.Table:
        """Score the forecasts that came due and publish the scores.

        A forecast whose outcome falls into a gap stays pending, because a repair may still fill the gap, until its
        target lies `GIVE_UP_MS` before the newest price of any coin. The machine's clock plays no part.

        Args:
            prices: the price store.
            judge: judges the forecasts that are due; by default from `prices`.

        Returns:
            The new rows of SCORE_SCHEMA.

        Raises:
            OSError: the disk refused; the same forecasts are scored in the next step.
            NotReady, DamagedFile: the price store cannot be read now.
        """
        self._take_new_log()
        target, newest_ms = targets_ms(self._pending), _newest_ms(self._pending, prices)
        due = target <= newest_ms
        lost = target < newest_ms.max(initial=0) - GIVE_UP_MS
        if self._renewals is not None:
            waits = self._waiting(due, self._renewals)
            due, lost = due & ~waits, lost & ~waits
        if not due.any() and not lost.any():
            return SCORE_SCHEMA.empty_table()
        rows_due = self._pending.filter(pa.array(due))
        judged = self._judge.judge(rows_due, prices) if judge is None else judge(rows_due)
        found = np.zeros(len(target), dtype=bool)
        found[due] = judged.has_outcome
        if not (found | lost).any():
            return SCORE_SCHEMA.empty_table()
        pending = self._pending.filter(pa.array(~found & ~lost))
        rows = add_up(judged.scores)
        appended = {}
        if rows.num_rows:
            hours = rows["hour"].cast(pa.int64()).to_numpy()
            appended["scores"] = (int(hours.min()), int(hours.max()) + HOUR_MS - 1, rows)
        self._publisher.publish({"score_state": self._state.to_table(pending)}, appended)
        self._pending = pending
        missed = len(target) - len(pending) - len(judged.scores)
        if missed:
            _log.warning("%d forecasts stay without a score: no price near their target, or no history", missed)
        return rows

    def _waiting(self, due: BoolArray, renewals: int) -> BoolArray:
        """Which pending forecasts wait (n,): due ones of coins that need a new benchmark, but for so many coins."""
        coin, names = numbered_coins(self._pending)
        newest_ms = np.full(len(names), -1, dtype=np.int64)
        np.maximum.at(newest_ms, coin[due], origins_ms(self._pending)[due])
        renewed = [renewal_ms(origin_ms) for origin_ms in newest_ms.tolist()]
        new = [number for number, name in enumerate(names) if renewed[number] > self._renewed_ms.get(name, -1)]
        self._renewed_ms.update((names[number], renewed[number]) for number in new[:renewals])
        return np.asarray(due & np.isin(coin, new[renewals:]))

    def _take_new_log(self) -> None:
        """Add the log rows published since the last step; a part of a whole day only merges parts seen before."""
        parts = [part for part in self._publisher.manifest.parts.get("log", ()) if part.file not in self._seen]
        if not parts:
            return
        tables = [self._publisher.table(part.file) for part in parts if part.level != "day"]
        fresh = self._state.open_rows(_joined([table for table in tables if table is not None]))
        if len(fresh):
            self._pending = pa.concat_tables([self._pending, fresh]).combine_chunks()
            self._state = self._state.seen(fresh)
        self._seen = {part.file for part in self._publisher.manifest.parts.get("log", ())}


def _joined(tables: Sequence[pa.Table]) -> pa.Table:
    """One table of the columns _SCORED; those that an earlier version did not write are null."""
    rows = pa.concat_tables([FORECAST_SCHEMA.empty_table(), *tables], promote_options="default")
    return rows.select(_SCORED).combine_chunks()


def _newest_ms(pending: pa.Table, prices: Prices) -> IntArray:
    """Event time of the newest price of each row's coin (n,), -1 without one."""
    coin, names = numbered_coins(pending)
    known = prices.as_of_each([(name, FOREVER_MS) for name in names])
    newest = np.array([-1 if price is None else price[0] for price in known], dtype=np.int64)
    return np.asarray(newest[coin])
