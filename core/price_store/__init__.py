"""The price store: one writer (the collector), any number of read-only readers.

WAL mode with exactly one writing connection, which is also the only one that checkpoints: the data race between
two writers that SQLite fixed in 3.51.3 cannot occur, whatever release Python links.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from core.price_store.reader import PriceReader
from core.price_store.rows import Coin, Price
from core.price_store.writer import FUTURE_TOLERANCE_MS, PriceWriter

__all__ = ["FUTURE_TOLERANCE_MS", "SQLITE_VERSION", "Coin", "Price", "PriceReader", "PriceWriter"]

SQLITE_VERSION: Final = sqlite3.sqlite_version
