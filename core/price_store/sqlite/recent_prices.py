"""Where new prices go: the newest price of each coin by time, and every few minutes all of them by coin.

Prices are kept by coin, so that a coin's history is a few pages. A poll stored there directly would touch a page of
every coin, 8 KB for each price. So a poll is stored as it comes, by the minute, and settled with those after it.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from core.price_store.rows import Price
from core.times import MINUTE_MS

__all__ = ["add_prices", "settle"]

_MOST_MINUTES: Final = 20
"""Minutes that wait: a search for one price looks into each of them (0.7 microseconds)."""

_SETTLED: Final = (
    "INSERT INTO settled_prices SELECT ?1, ?2, ?3, ?4, ?5, ?6 WHERE NOT EXISTS (SELECT 1 FROM recent_minutes m "
    "CROSS JOIN recent_prices r ON r.minute = m.minute WHERE r.coin_id = ?1 AND r.ts_ms = ?2) ON CONFLICT DO NOTHING"
)


def add_prices(connection: sqlite3.Connection, rows: Sequence[Price], newest_ms: Mapping[str, int]) -> int:
    """Add prices within a transaction, one per coin and event time; the first one stays.

    Args:
        connection: of the writer.
        rows: valid prices, in any order.
        newest_ms: event time of each coin's newest stored price, 0 without one.

    Returns:
        The number of new prices.
    """
    times = Counter(row.coin_id for row in rows)
    recent = [row for row in rows if times[row.coin_id] == 1 and row.ts_ms > newest_ms[row.coin_id]]
    older = [row for row in rows if times[row.coin_id] > 1 or row.ts_ms <= newest_ms[row.coin_id]]
    if recent:
        minute = max(row.fetched_ms for row in recent) // MINUTE_MS
        _begin(connection, minute)
        recent.sort()
        connection.executemany("INSERT INTO recent_prices VALUES (?,?,?,?,?,?,?)", [(minute, *row) for row in recent])
    before = connection.total_changes
    connection.executemany(_SETTLED, older)
    return len(recent) + connection.total_changes - before


def settle(connection: sqlite3.Connection) -> None:
    """Move the recent prices to those kept by coin, within a transaction."""
    connection.execute(
        "INSERT INTO settled_prices SELECT coin_id, ts_ms, price, market_cap, volume, fetched_ms "
        "FROM recent_prices ORDER BY coin_id, ts_ms"
    )
    connection.execute("DELETE FROM recent_prices")
    connection.execute("DELETE FROM recent_minutes")


def _begin(connection: sqlite3.Connection, minute: int) -> None:
    """Make room for a minute, which may be known."""
    known = [row[0] for row in connection.execute("SELECT minute FROM recent_minutes")]
    if minute in known:
        return
    if len(known) >= _MOST_MINUTES:
        settle(connection)
    connection.execute("INSERT INTO recent_minutes VALUES (?)", (minute,))
