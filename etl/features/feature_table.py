"""Feature rows as Arrow tables, as the Parquet files store them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
import pyarrow as pa

from etl.features.columns import FEATURE_NAMES
from etl.features.feature_rows import FeatureBlock

__all__ = ["FEATURE_SCHEMA", "feature_table"]

FEATURE_SCHEMA: Final = pa.schema(
    [
        ("coin", pa.string()),
        ("ts", pa.timestamp("ms", tz="UTC")),
        ("sigma", pa.float32()),
        *((name, pa.float32()) for name in FEATURE_NAMES),
    ]
)
"""One row per coin and grid point; `sigma` is the fast volatility of a 5-minute log return, the features' unit."""

_NO_ROWS: Final = FEATURE_SCHEMA.empty_table()


def feature_table(blocks: Iterable[FeatureBlock], coins: Sequence[str]) -> pa.Table:
    """Usable rows of all blocks (FEATURE_SCHEMA), in the order of block, time, coin."""
    tables = [_table(block, coins) for block in blocks]
    return pa.concat_tables(tables) if tables else _NO_ROWS


def _table(block: FeatureBlock, coins: Sequence[str]) -> pa.Table:
    row, column = np.nonzero(block.usable)
    names = np.array([coins[coin] for coin in block.coins], dtype=object)
    columns = [
        names[column],
        pa.array(block.ts_ms[row]).cast(FEATURE_SCHEMA.field("ts").type),
        block.vol_fast[row, column].astype(np.float32),
        *np.ascontiguousarray(block.x[row, column].T),
    ]
    return pa.table([pa.array(values) for values in columns], schema=FEATURE_SCHEMA)
