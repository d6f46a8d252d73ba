"""Queries that reader and writer of the store on a server share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, LiteralString

from core.price_store.postgres.connection import Connection

__all__ = ["LATEST", "RANGE", "Values", "as_rows"]

Values = Sequence[Any] | Mapping[str, Any]

LATEST: Final[LiteralString] = (
    "SELECT c.id, p.ts_ms, p.price, p.market_cap, p.volume, p.fetched_ms FROM coins c CROSS JOIN LATERAL "
    "(SELECT ts_ms, price, market_cap, volume, fetched_ms FROM prices WHERE coin_id = c.id "
    "ORDER BY ts_ms DESC LIMIT 1) p WHERE c.tracked"
)
"""The newest price of each tracked coin."""

RANGE: Final[LiteralString] = (
    "SELECT ts_ms, price FROM prices WHERE coin_id = %s AND ts_ms BETWEEN %s::bigint AND %s::bigint ORDER BY ts_ms"
)
"""Event times and prices of one coin within two times, in order."""


def as_rows(connection: Connection, query: LiteralString, values: Values = ()) -> list[tuple[Any, ...]]:
    """Run a query; numbers come in binary, which is quicker to read."""
    with connection.cursor(binary=True) as cursor:
        return cursor.execute(query, values).fetchall()
