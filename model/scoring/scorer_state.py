"""Remembers which logged forecasts wait for their outcome, so that live scores count each one exactly once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pyarrow as pa

from core.forecast_schema import HORIZONS_MIN
from core.publishing.publisher import Publisher
from core.times import HOUR_MS
from etl.arrays import IntArray

__all__ = ["MAX_LOGGED_AGE_MS", "ScoreState", "origins_ms"]

_SCHEMA: Final = pa.schema([("coin", pa.string()), ("origin_ms", pa.int64()), ("open", pa.int16())])
_FLOOR: Final = b"floor_ms"
MAX_LOGGED_AGE_MS: Final = 2 * HOUR_MS
"""A forecast whose origin is older than this is shown but not logged: its outcome is already past.

Rows of the log not seen yet are therefore at most this much older than the newest one seen.
"""


@dataclass(frozen=True)
class ScoreState:
    """The part of the log that was seen, and the forecasts in it that are still open.

    The log has one origin per coin and 5-minute slot, in increasing order. The last origin seen of each coin therefore
    separates new rows from old ones, and only the open ones among the old have to be listed.

    Attributes:
        last: coin → last origin seen, in UTC milliseconds.
        open_bits: (coin, origin) → a bit per horizon that is open.
        floor_ms: rows of coins never seen before count from here on.
    """

    last: Mapping[str, int] = field(default_factory=dict)
    open_bits: Mapping[tuple[str, int], int] = field(default_factory=dict)
    floor_ms: int = -1

    @staticmethod
    def read(publisher: Publisher) -> ScoreState:
        """Read the published state.

        If it is lost (damaged) although there are scores, forecasts of the hours already scored are skipped: a few
        without a score are better than some with two.
        """
        entry = publisher.manifest.entries.get("score_state")
        table = None if entry is None else publisher.table(entry.file)
        if table is None:
            ends = [part.end_ms for part in publisher.manifest.parts.get("scores", ())]
            return ScoreState(floor_ms=max(ends, default=-1))
        last: dict[str, int] = {}
        open_bits: dict[tuple[str, int], int] = {}
        for row in table.to_pylist():
            coin, origin_ms = row["coin"], row["origin_ms"]
            last[coin] = max(last.get(coin, -1), origin_ms)
            if row["open"]:
                open_bits[coin, origin_ms] = row["open"]
        return ScoreState(last, open_bits, int((table.schema.metadata or {})[_FLOOR]))

    def since_ms(self) -> int:
        """No row of the log before this time is open."""
        if not self.last:
            return self.floor_ms + 1
        return min([max(self.last.values()) - MAX_LOGGED_AGE_MS, *(origin_ms for _, origin_ms in self.open_bits)])

    def open_rows(self, logged: pa.Table) -> pa.Table:
        """The rows of `logged` (FORECAST_SCHEMA) that are new or were open when the state was written."""
        coins, origin = logged["coin"].to_pylist(), origins_ms(logged)
        last = np.array([self.last.get(coin, self.floor_ms) for coin in coins], dtype=np.int64)
        keys = zip(coins, origin.tolist(), strict=True)
        bits = np.array([self.open_bits.get(key, 0) for key in keys], dtype=np.int64)
        return logged.filter(pa.array((origin > last) | (bits & _bits(logged) != 0)))

    def seen(self, rows: pa.Table) -> ScoreState:
        """The state after `rows` became pending; the rows that were open before are pending too, so none is listed."""
        last = dict(self.last)
        for coin, origin_ms in zip(rows["coin"].to_pylist(), origins_ms(rows).tolist(), strict=True):
            last[coin] = max(last.get(coin, -1), origin_ms)
        return ScoreState(last, {}, self.floor_ms)

    def to_table(self, pending: pa.Table) -> pa.Table:
        """The state to publish while `pending` rows await their outcome: each coin's last origin and all open ones."""
        bits = dict.fromkeys(self.last.items(), 0)
        keys = zip(pending["coin"].to_pylist(), origins_ms(pending).tolist(), strict=True)
        for key, bit in zip(keys, _bits(pending).tolist(), strict=True):
            bits[key] = bits.get(key, 0) | bit
        columns = [[coin for coin, _ in bits], [origin_ms for _, origin_ms in bits], list(bits.values())]
        return pa.table(dict(zip(_SCHEMA.names, columns, strict=True)), schema=_SCHEMA).replace_schema_metadata(
            {_FLOOR: str(self.floor_ms)}
        )


def origins_ms(rows: pa.Table) -> IntArray:
    """The column `origin` in UTC milliseconds."""
    return np.asarray(rows["origin"].cast(pa.int64()).to_numpy())


def _bits(rows: pa.Table) -> IntArray:
    """A bit per horizon: 1 for the shortest, 2 for the next."""
    return np.asarray(1 << (rows["horizon_min"].to_numpy().astype(np.int64) // HORIZONS_MIN[0] - 1))
