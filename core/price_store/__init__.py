"""The price store: one writer (the collector) and any number of readers.

SQLite in WAL mode. The only writing connection is also the only one that checkpoints, so the data race between two
writers that SQLite fixed in 3.51.3 cannot occur with older releases either.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from core.price_store.rows import Coin, Price
from core.price_store.sqlite.reader import PriceReader
from core.price_store.sqlite.writer import FUTURE_TOLERANCE_MS, PriceWriter

__all__ = ["FUTURE_TOLERANCE_MS", "SQLITE_VERSION", "Coin", "Price", "PriceReader", "PriceWriter"]

SQLITE_VERSION: Final = sqlite3.sqlite_version
