"""What the processes of shards and their coordinator say to each other, over one connection each.

The coordinator gives all shards the same order. While they carry it out, they ask what all of them must agree on; each
question is answered once all have asked it. An order ends with `Done` or `Failed`. In the middle of a long one a shard
says now and then that it is `Busy`.
"""

from __future__ import annotations

import copyreg
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from core.store_address import NamedSchema, StoreAddress
from etl.arrays import FloatArray, IntArray
from etl.features.shared_market import GridBounds
from model.forecaster.assembly import AtOrigins
from model.forecaster.lesson import Lesson
from model.forecaster.pending_rows import PendingRows
from model.loop.shard_model import ModelNews
from model.scoring.judge import Judged

__all__ = [
    "AddUp",
    "Agree",
    "Begin",
    "Busy",
    "Collected",
    "Done",
    "Failed",
    "Gather",
    "Gathered",
    "MarketRecord",
    "Order",
    "Pull",
    "Pulled",
    "Question",
    "Renew",
    "Said",
    "Score",
    "Teach",
    "shard_of",
]


def _packed(table: pa.Table) -> tuple[Callable[[pa.Buffer], pa.Table], tuple[pa.Buffer]]:
    """How a table is pickled: as one piece, where pickle by itself would take each column apart."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return _unpacked, (sink.getvalue(),)


def _unpacked(content: pa.Buffer) -> pa.Table:
    return pa.ipc.open_stream(content).read_all()


copyreg.pickle(pa.Table, _packed)


def shard_of(coin: str, shards: int) -> int:
    """The shard of a coin, the same on every machine and in every release."""
    return zlib.crc32(coin.encode()) % shards


@dataclass(frozen=True)
class MarketRecord:
    """The sums behind the market's means at consecutive grid points (n,), shape (n, columns)."""

    ts_ms: IntArray
    sums: FloatArray

    def since(self, ts_ms: int) -> MarketRecord:
        """Those from `ts_ms` on."""
        kept = self.ts_ms >= ts_ms
        return MarketRecord(self.ts_ms[kept], self.sums[kept])

    def then(self, later: MarketRecord) -> MarketRecord:
        """These followed by later ones."""
        return MarketRecord(np.concatenate([self.ts_ms, later.ts_ms]), np.concatenate([self.sums, later.sums]))

    def last(self, rows: int) -> MarketRecord:
        """The last ones, at most so many."""
        return MarketRecord(self.ts_ms[-rows:], self.sums[-rows:])


@dataclass(frozen=True)
class Gathered:
    """The coins by column, their rows without an outcome, and the last grid point predicted: see `EngineState`."""

    coins: tuple[str, ...]
    pending: PendingRows | None
    learned_ms: int


@dataclass(frozen=True)
class Collected:
    """The coins of a shard, as the price store has them.

    Attributes:
        numbers: of each coin that has one, whether it is collected now or not.
        revisions: `Coin.revision` of each one that is collected now.
    """

    numbers: Mapping[str, int]
    revisions: Mapping[str, int]


@dataclass(frozen=True)
class Begin:
    """Take the coins of a shard.

    Attributes:
        store: where their prices are.
        model: the whole model.
        known: what the shard knows besides, to go on from; nothing at a first start and in place of a lost shard.
        keep_days: days of prices to read; None: all that the model is trained on.
        coins: all of them.
        market: None at the start of all shards. A shard that replaces a lost one computes its grid with this record of
            the market, up to its last grid point, and learns nothing from it.
        published_ms: grid point up to which the rows of a lost shard have been taken; -1 if none have.
        now_ms: UTC milliseconds.
    """

    store: StoreAddress | NamedSchema
    model: ModelNews
    known: Gathered
    keep_days: int | None
    coins: Collected
    market: MarketRecord | None
    published_ms: int
    now_ms: int


@dataclass(frozen=True)
class Pull:
    """Read new prices and bring the grid up to date.

    Attributes:
        now_ms: UTC milliseconds.
        again: the store may be another one.
        extends: there are grid rows to compute. Without it no shard has to ask the others anything; a coin whose hourly
            prices came late waits for the next grid step.
        coins: those of the shard, where they have changed.
        missed: the market of the grid points that a rebuilt shard has missed, if any.
    """

    now_ms: int
    again: bool
    extends: bool
    coins: Collected | None
    missed: MarketRecord | None


@dataclass(frozen=True)
class Pulled:
    """What a shard has now.

    Attributes:
        count: number of new prices.
        origins: time of each coin's newest price.
        known: what forecasts as of these times need besides the model.
        rows: new rows of the published tables by name.
    """

    count: int
    origins: Mapping[str, int]
    known: AtOrigins
    rows: Mapping[str, pa.Table]


@dataclass(frozen=True)
class Score:
    """Score forecasts of the shard's coins (FORECAST_SCHEMA) that are due; the result is `Judged`."""

    due: pa.Table


@dataclass(frozen=True)
class Gather:
    """Give what a shard knows besides prices and the model."""


@dataclass(frozen=True)
class Agree:
    """The bounds of a shard; the answer are those of all."""

    bounds: GridBounds


@dataclass(frozen=True)
class AddUp:
    """The market's sums of a shard; the answer are those of all."""

    market: MarketRecord


@dataclass(frozen=True)
class Renew:
    """A block begins at `ts_ms`; the answer tells how the model has changed since the last one, if it has."""

    ts_ms: int


@dataclass(frozen=True)
class Teach:
    """The lesson of a shard; the answer comes once the model has learned those of all."""

    lesson: Lesson


@dataclass(frozen=True)
class Busy:
    """The shard is at work; it has not asked or done anything for a second."""


@dataclass(frozen=True)
class Done:
    """An order was carried out."""

    result: Pulled | Judged | Gathered | None


@dataclass(frozen=True)
class Failed:
    """An order could not be carried out; the shard is in an unknown state."""

    reason: str


Order = Begin | Pull | Score | Gather
Question = Agree | AddUp | Renew | Teach
Said = Question | Busy | Done | Failed
