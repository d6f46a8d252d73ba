"""Where new prices go: the newest price of each coin by time, and now and then all of them by coin.

Prices are kept by coin, so that a coin's history is a few pages. A poll stored there directly would touch a page of
every coin, 8 KB for each price. So a poll is stored as it comes, by the minute, and settled with those after it: many
prices of a coin at a time touch few pages.

A minute is that of the newest event time so far. No coin has a price in an earlier minute that is newer than one in a
later minute, and an event time lies at most `LATE_MINUTES` before its minute: so the last price of a coin is in the
latest minute that has one, and a search for old prices looks into none.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from core.price_store.rows import Price
from core.times import MINUTE_MS

__all__ = ["LATE_MINUTES", "MOST_MINUTES", "add_prices", "settle"]

LATE_MINUTES: Final = 10
"""A price that is older than this when it is new settles at once."""

MOST_MINUTES: Final = 120
"""Minutes that wait: a search that needs all of them looks into each (0.7 microseconds)."""

_SETTLED: Final = (
    "INSERT INTO settled_prices SELECT ?1, ?2, ?3, ?4, ?5, ?6 WHERE NOT EXISTS (SELECT 1 FROM recent_minutes m "
    "CROSS JOIN recent_prices r ON r.minute = m.minute WHERE r.coin_id = ?1 AND r.ts_ms = ?2) ON CONFLICT DO NOTHING"
)

_SETTLE: Final = (
    "INSERT INTO settled_prices SELECT coin_id, ts_ms, price, market_cap, volume, fetched_ms "
    "FROM recent_minutes m CROSS JOIN recent_prices r ON r.minute = m.minute "
    "WHERE coin_id BETWEEN ?1 AND ?2 ORDER BY coin_id, ts_ms"
)
_COINS_AT_ONCE: Final = 250
"""Coins whose prices are sorted in memory together: two hours of 5,000 would take 100 MB, and keep them."""


def add_prices(connection: sqlite3.Connection, rows: Sequence[Price], newest_ms: Mapping[str, int]) -> list[Price]:
    """Add prices within a transaction, one per coin and event time; the first one stays.

    Args:
        connection: of the writer.
        rows: valid prices, in any order.
        newest_ms: event time of each coin's newest stored price, 0 without one.

    Returns:
        The new prices.
    """
    times = Counter(row.coin_id for row in rows)
    minutes = [row[0] for row in connection.execute("SELECT minute FROM recent_minutes")]
    minute = max([*minutes, *(row.ts_ms // MINUTE_MS for row in rows)], default=0)

    def waits(row: Price) -> bool:
        is_late = row.ts_ms // MINUTE_MS < minute - LATE_MINUTES
        return times[row.coin_id] == 1 and row.ts_ms > newest_ms[row.coin_id] and not is_late

    recent = sorted(row for row in rows if waits(row))
    older = [row for row in rows if not waits(row)]
    if recent:
        if minute not in minutes:
            _begin(connection, minute, len(minutes))
        connection.executemany("INSERT INTO recent_prices VALUES (?,?,?,?,?,?,?)", [(minute, *row) for row in recent])
    cursor = connection.cursor()
    return recent + [row for row in older if cursor.execute(_SETTLED, row).rowcount]


def settle(connection: sqlite3.Connection) -> None:
    """Move the recent prices to those kept by coin, within a transaction."""
    coins = sorted(row[0] for row in connection.execute("SELECT DISTINCT coin_id FROM recent_prices"))
    spans = [coins[first : first + _COINS_AT_ONCE] for first in range(0, len(coins), _COINS_AT_ONCE)]
    connection.executemany(_SETTLE, [(span[0], span[-1]) for span in spans])
    connection.execute("DELETE FROM recent_prices")
    connection.execute("DELETE FROM recent_minutes")


def _begin(connection: sqlite3.Connection, minute: int, known: int) -> None:
    """Make room for a minute beside the `known` ones."""
    if known >= MOST_MINUTES:
        settle(connection)
    connection.execute("INSERT INTO recent_minutes VALUES (?)", (minute,))
