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

__all__ = ["MAX_LOGGED_AGE_MS", "ScoreState", "numbered_coins", "origins_ms"]

_SCHEMA: Final = pa.schema([("coin", pa.string()), ("origin_ms", pa.int64()), ("open", pa.int16())])
_FLOOR: Final = b"floor_ms"
_COIN_SHIFT: Final = 1 << 42
"""More than any UNIX time in milliseconds until 2109: `coin * _COIN_SHIFT + origin_ms` names a forecast."""

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
        coin, names = numbered_coins(logged)
        origin = origins_ms(logged)
        last = np.array([self.last.get(name, self.floor_ms) for name in names], dtype=np.int64)[coin]
        bits = np.zeros(len(logged), dtype=np.int64)
        if self.open_bits:
            keys = zip(coin.tolist(), origin.tolist(), strict=True)
            bits[:] = [self.open_bits.get((names[number], origin_ms), 0) for number, origin_ms in keys]
        return logged.filter(pa.array((origin > last) | (bits & _bits(logged) != 0)))

    def seen(self, rows: pa.Table) -> ScoreState:
        """The state after `rows` became pending; the rows that were open before are pending too, so none is listed."""
        coin, names = numbered_coins(rows)
        newest = np.array([self.last.get(name, -1) for name in names], dtype=np.int64)
        np.maximum.at(newest, coin, origins_ms(rows))
        return ScoreState({**self.last, **dict(zip(names, newest.tolist(), strict=True))}, {}, self.floor_ms)

    def to_table(self, pending: pa.Table) -> pa.Table:
        """The state to publish while `pending` rows await their outcome: each coin's last origin and all open ones."""
        coin, names = numbered_coins(pending)
        number_of = {name: number for number, name in enumerate(self.last)}
        number = np.array([number_of[name] for name in names], dtype=np.int64)[coin]
        last = np.arange(len(self.last)) * _COIN_SHIFT + np.fromiter(self.last.values(), dtype=np.int64)
        keys, place = np.unique(np.concatenate([last, number * _COIN_SHIFT + origins_ms(pending)]), return_inverse=True)
        bits = np.zeros(len(keys), dtype=np.int64)
        np.bitwise_or.at(bits, place[len(last) :], _bits(pending))
        coins = pa.array(list(self.last), pa.string()).take(pa.array(keys // _COIN_SHIFT))
        columns = dict(zip(_SCHEMA.names, (coins, keys % _COIN_SHIFT, bits), strict=True))
        return pa.table(columns, schema=_SCHEMA).replace_schema_metadata({_FLOOR: str(self.floor_ms)})


def numbered_coins(rows: pa.Table) -> tuple[IntArray, list[str]]:
    """The column `coin` as numbers (n,), and the names that have them; each name occurs."""
    column = rows["coin"].combine_chunks().dictionary_encode()
    return np.asarray(column.indices.to_numpy(), dtype=np.int64), column.dictionary.to_pylist()


def origins_ms(rows: pa.Table) -> IntArray:
    """The column `origin` in UTC milliseconds."""
    return np.asarray(rows["origin"].cast(pa.int64()).to_numpy())


def _bits(rows: pa.Table) -> IntArray:
    """A bit per horizon: 1 for the shortest, 2 for the next."""
    return np.asarray(1 << (rows["horizon_min"].to_numpy().astype(np.int64) // HORIZONS_MIN[0] - 1))
