"""The price store: one writer (the collector) and any number of readers, in SQLite or on a PostgreSQL server.

`open_writer`, `open_reader` and `open_pool` take the address of a workspace's store and give what `protocols`
describes; nothing above them knows which of the two it is.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from core.price_store.opening import open_pool, open_reader, open_writer
from core.price_store.protocols import PricePool, PriceReader, PriceWriter
from core.price_store.rows import FUTURE_TOLERANCE_MS, Coin, Price, StoreInfo

__all__ = [
    "FUTURE_TOLERANCE_MS",
    "SQLITE_VERSION",
    "Coin",
    "Price",
    "PricePool",
    "PriceReader",
    "PriceWriter",
    "StoreInfo",
    "open_pool",
    "open_reader",
    "open_writer",
]

SQLITE_VERSION: Final = sqlite3.sqlite_version
