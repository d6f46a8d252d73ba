"""What followed each half-hour, in units of the scales predicted there: the stuff of joint scenarios."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pyarrow as pa

from core.forecast_schema import SCALED_HOURS_SCHEMA
from core.times import DAY_MS, MINUTE_MS
from etl.arrays import BoolArray, FloatArray, IntArray, RowArray

__all__ = ["ScaledHours", "on_half_hours"]

_HALF_HOUR_MS: Final = 30 * MINUTE_MS

_KEPT_MS: Final = 14 * DAY_MS
"""Rows wait this long to be taken."""

_NO_ROWS: Final = SCALED_HOURS_SCHEMA.empty_table()


def on_half_hours(ts_ms: IntArray) -> BoolArray:
    """Which times are full or half hours in UTC."""
    return np.asarray(ts_ms % _HALF_HOUR_MS == 0)


class ScaledHours:
    """Collects rows until they are taken; of each coin only rows later than the last one, so that none comes twice."""

    def __init__(self) -> None:
        self._rows: list[tuple[IntArray, IntArray, RowArray]] = []
        self._newest_ms: IntArray = np.zeros(0, dtype=np.int64)

    def add(self, ts_ms: IntArray, coins: IntArray, moves: FloatArray) -> None:
        """Add the rows at half-hours whose moves are all known.

        Args:
            ts_ms: origins (n,), in increasing order.
            coins: column numbers (k,).
            moves: log moves over the horizons in units of the predicted scales (n, k, STEPS); NaN where unknown.
        """
        self._newest_ms = np.pad(self._newest_ms, (0, max(0, int(coins.max(initial=-1)) + 1 - len(self._newest_ms))))
        fresh = on_half_hours(ts_ms)[:, None] & (ts_ms[:, None] > self._newest_ms[coins])
        row, column = np.nonzero(fresh & np.isfinite(moves).all(axis=-1))
        if not len(row):
            return
        np.maximum.at(self._newest_ms, coins[column], ts_ms[row])
        self._rows.append((ts_ms[row], coins[column], moves[row, column].astype(np.float32)))
        while self._rows[0][0][-1] < ts_ms[-1] - _KEPT_MS:
            self._rows.pop(0)

    def forget(self, coins: IntArray) -> None:
        """Drop what waits of coins (k,): other ones have taken their columns."""
        self._newest_ms[coins[coins < len(self._newest_ms)]] = 0
        kept = [(~np.isin(known, coins), ts_ms, known, moves) for ts_ms, known, moves in self._rows]
        self._rows = [(ts_ms[keep], known[keep], moves[keep]) for keep, ts_ms, known, moves in kept if keep.any()]

    def take(self, names: Sequence[str]) -> pa.Table:
        """The rows added since the last call, in SCALED_HOURS_SCHEMA; `names` are the coins by column number."""
        tables = []
        for ts_ms, coins, moves in self._rows:
            origin = pa.array(ts_ms).cast(SCALED_HOURS_SCHEMA.field("origin").type)
            columns = [pa.array([names[coin] for coin in coins]), origin, *(pa.array(of) for of in moves.T.copy())]
            tables.append(pa.table(columns, schema=SCALED_HOURS_SCHEMA))
        self._rows.clear()
        return pa.concat_tables(tables) if tables else _NO_ROWS
