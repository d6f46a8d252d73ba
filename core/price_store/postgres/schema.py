"""Tables of a schema and their migrations; the same columns, keys and checks as in SQLite."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from psycopg import sql
from psycopg.errors import InvalidSchemaName, UndefinedTable

from core.errors import ConfigurationError
from core.price_store.postgres.connection import Connection
from core.wording import message

__all__ = ["SCHEMA_VERSION", "check_version", "grant_reading", "migrate"]

_READ_TABLES: Final = ("prices", "hourly", "coins", "meta", "state")


def _create(connection: Connection) -> None:
    """Create the tables; text compares byte by byte, as in SQLite.

    The key of `prices` carries the price, so that a range of a coin is read from the index alone. `state` has one row:
    the version of the schema, and the number and time of the last commit.
    """
    connection.execute(
        """
        CREATE TABLE prices (
            coin_id text COLLATE "C" NOT NULL,
            ts_ms bigint NOT NULL CHECK (ts_ms > 0),
            price double precision NOT NULL CHECK (price > 0 AND price < 1e300),
            market_cap double precision,
            volume double precision,
            fetched_ms bigint NOT NULL,
            PRIMARY KEY (coin_id, ts_ms) INCLUDE (price)
        ) PARTITION BY RANGE (ts_ms)
        """
    )
    connection.execute(
        """
        CREATE TABLE hourly (
            coin_id text COLLATE "C" NOT NULL,
            ts_ms bigint NOT NULL,
            price double precision NOT NULL CHECK (price > 0 AND price < 1e300),
            PRIMARY KEY (coin_id, ts_ms)
        )
        """
    )
    connection.execute(
        """
        CREATE TABLE coins (
            id text COLLATE "C" PRIMARY KEY,
            symbol text NOT NULL,
            name text NOT NULL,
            rank bigint,
            updated bigint NOT NULL,
            tracked boolean NOT NULL DEFAULT true,
            revision bigint NOT NULL DEFAULT 0
        )
        """
    )
    connection.execute('CREATE TABLE meta (key text COLLATE "C" PRIMARY KEY, value text NOT NULL)')
    connection.execute(
        "CREATE TABLE state (schema_version bigint NOT NULL, commits bigint NOT NULL, changed_ms bigint)"
    )
    connection.execute("INSERT INTO state VALUES (0, 0, NULL)")


_STEPS: Final[tuple[Callable[[Connection], None], ...]] = (_create,)
SCHEMA_VERSION: Final = len(_STEPS)


def check_version(connection: Connection, schema: str) -> int:
    """Read the version of a schema; 0 if it has no tables.

    Raises:
        ConfigurationError: a newer release wrote it.
    """
    try:
        table = sql.Identifier(schema, "state")  # in full: a schema that the role may not use counts as missing
        row = connection.execute(sql.SQL("SELECT schema_version FROM {}").format(table)).fetchone()
    except (UndefinedTable, InvalidSchemaName):
        return 0
    version = int(row[0]) if row else 0
    if version > SCHEMA_VERSION:
        raise ConfigurationError(message("prices.newer_server_schema", found=version, known=SCHEMA_VERSION))
    return version


def migrate(connection: Connection, schema: str) -> None:
    """Create the schema or bring it up to date, in one transaction; only the holder of the lease may call this."""
    version = check_version(connection, schema)
    if version == SCHEMA_VERSION:
        return
    with connection.transaction():
        if version == 0:
            connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(schema)))
        for step in _STEPS[version:]:
            step(connection)
        connection.execute("UPDATE state SET schema_version = %s", (SCHEMA_VERSION,))


def grant_reading(connection: Connection, schema: str, role: str) -> None:
    """Let `role` read all tables of the schema and change none; partitions are read through their table."""
    names = sql.SQL(", ").join(sql.Identifier(name) for name in _READ_TABLES)
    user, place = sql.Identifier(role), sql.Identifier(schema)
    with connection.transaction():
        connection.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(place, user))
        connection.execute(sql.SQL("GRANT SELECT ON {} TO {}").format(names, user))
