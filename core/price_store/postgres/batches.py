"""Inserts of many prices, as arrays for a poll, by COPY for a back-fill; and the number of all prices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, LiteralString

from core.price_store.postgres.connection import Connection
from core.price_store.rows import PRICE_COUNT, Price

__all__ = ["add_prices", "count_prices"]

_MOST_IN_ARRAYS: Final = 2_000
"""Up to here arrays are quicker, twice at 250 rows; at 20,000 rows COPY is."""

_TYPES: Final = ("text", "int8", "float8", "float8", "float8", "int8")
_INCOMING: Final[LiteralString] = (
    "CREATE TEMPORARY TABLE IF NOT EXISTS incoming (coin_id text, ts_ms bigint, price float8, market_cap float8, "
    "volume float8, fetched_ms bigint) ON COMMIT DELETE ROWS"
)

_ADD_INCOMING: Final[LiteralString] = (
    "INSERT INTO prices SELECT * FROM incoming ON CONFLICT DO NOTHING RETURNING coin_id, ts_ms"
)


def add_prices(connection: Connection, prices: Sequence[Price]) -> list[tuple[str, int]]:
    """Insert prices whose coin and time are not stored yet, in the open transaction; the coins and times of these."""
    rows = [_row(price) for price in prices]
    if len(rows) > _MOST_IN_ARRAYS:
        _copy(connection, rows)
        return connection.execute(_ADD_INCOMING).fetchall()
    return connection.execute(
        "INSERT INTO prices SELECT * FROM unnest(%b::text[], %b::int8[], %b::float8[], %b::float8[], %b::float8[], "
        "%b::int8[]) ON CONFLICT DO NOTHING RETURNING coin_id, ts_ms",
        [list(column) for column in zip(*rows, strict=True)],
    ).fetchall()


def count_prices(connection: Connection, change: int) -> None:
    """Update the stored number of prices; counting millions of rows takes seconds."""
    connection.execute(
        "INSERT INTO meta VALUES (%s, %s) ON CONFLICT (key) "
        "DO UPDATE SET value = (meta.value::bigint + excluded.value::bigint)::text",
        (PRICE_COUNT, str(change)),
    )


def _copy(connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    connection.execute(_INCOMING)
    with connection.cursor() as cursor, cursor.copy("COPY incoming FROM STDIN (FORMAT BINARY)") as copy:
        copy.set_types(_TYPES)
        for row in rows:
            copy.write_row(row)


def _row(price: Price) -> tuple[Any, ...]:
    """The columns of a price as the server keeps them."""
    caps = (_number(price.market_cap), _number(price.volume))
    return (price.coin_id, int(price.ts_ms), float(price.price), *caps, int(price.fetched_ms))


def _number(value: float | None) -> float | None:
    """A number, or None for one that is unknown; SQLite stores NaN as NULL too."""
    return None if value is None or value != value else float(value)  # noqa: PLR0124 - only NaN differs from itself
