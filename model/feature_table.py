"""Feature rows as a table, for the Parquet files that keep them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
import pyarrow as pa

from etl.feature_grid import FeatureBlock
from etl.transform import FEATURE_NAMES

__all__ = ["FEATURE_SCHEMA", "feature_table"]

FEATURE_SCHEMA: Final = pa.schema(
    [
        ("coin", pa.string()),
        ("ts", pa.timestamp("ms", tz="UTC")),
        ("usable", pa.bool_()),
        ("sigma", pa.float32()),
        *((name, pa.float32()) for name in FEATURE_NAMES),
    ]
)
"""One row per coin and grid point; `sigma` is the spread of a 5-minute log return, the unit of the features."""


def feature_table(blocks: Iterable[FeatureBlock], coins: Sequence[str], since_ms: int) -> pa.Table:
    """Return the rows of blocks later than `since_ms`, in order of block, time, coin."""
    parts = [_table(block, coins, since_ms) for block in blocks if block.ts_ms[-1] > since_ms]
    return pa.concat_tables(parts) if parts else FEATURE_SCHEMA.empty_table()


def _table(block: FeatureBlock, coins: Sequence[str], since_ms: int) -> pa.Table:
    later = block.ts_ms > since_ms
    x = block.x[later].reshape(-1, len(FEATURE_NAMES))
    names = np.array([coins[coin] for coin in block.coins], dtype=object)
    columns = [
        np.tile(names, int(later.sum())),
        pa.array(np.repeat(block.ts_ms[later], len(names))).cast(FEATURE_SCHEMA.field("ts").type),
        block.usable[later].ravel(),
        block.sigma[later].ravel().astype(np.float32),
        *np.ascontiguousarray(x.T),
    ]
    return pa.table([pa.array(column) for column in columns], schema=FEATURE_SCHEMA)
