"""The reading side of the price store on a server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, LiteralString, Self

from core.errors import NotReady
from core.price_store.postgres.connection import Connection, connect, prepare_reading, reading
from core.price_store.postgres.queries import LATEST, RANGE, Values, as_rows
from core.price_store.postgres.schema import check_version
from core.price_store.rows import Coin, Price
from core.store_address import ServerAddress
from core.times import FOREVER_MS, GRID_STEP_MS
from core.wording import message

__all__ = ["PostgresReader", "open_connection"]

_BATCH_ROWS: Final = 5_000

_WITHIN: Final[LiteralString] = "FROM prices WHERE coin_id = %s AND ts_ms BETWEEN %s::bigint AND %s::bigint"
_ALL: Final[LiteralString] = "SELECT ts_ms, price, market_cap, volume, fetched_ms " + _WITHIN
_BARE: Final[LiteralString] = "SELECT ts_ms, price " + _WITHIN
_PAGE: Final[dict[tuple[bool, bool], LiteralString]] = {
    (False, False): _ALL + " ORDER BY ts_ms DESC LIMIT %s::bigint",
    (False, True): _BARE + " ORDER BY ts_ms DESC LIMIT %s::bigint",
    (True, False): _ALL + " ORDER BY ts_ms LIMIT %s::bigint",
    (True, True): _BARE + " ORDER BY ts_ms LIMIT %s::bigint",
}
"""Pages of prices, by whether they are ascending and whether they are bare."""

_AS_OF: Final[LiteralString] = (
    "SELECT p.ts_ms, p.price FROM unnest(%s::text[], %s::bigint[]) WITH ORDINALITY AS m (coin_id, ts_ms, place) "
    "LEFT JOIN LATERAL (SELECT ts_ms, price FROM prices WHERE coin_id = m.coin_id AND ts_ms <= m.ts_ms "
    "ORDER BY ts_ms DESC LIMIT 1) p ON true ORDER BY m.place"
)
_NEAREST: Final[LiteralString] = (
    "SELECT p.ts_ms, p.price FROM unnest(%s::text[], %s::bigint[]) WITH ORDINALITY AS m (coin_id, ts_ms, place) "
    "LEFT JOIN LATERAL (SELECT ts_ms, price FROM prices WHERE coin_id = m.coin_id "
    "AND ts_ms BETWEEN m.ts_ms - %s::bigint AND m.ts_ms + %s::bigint "
    "ORDER BY abs(prices.ts_ms - m.ts_ms), prices.ts_ms LIMIT 1) p ON true ORDER BY m.place"
)
_SINCE: Final[LiteralString] = (
    "SELECT m.coin_id, p.ts_ms, p.price FROM unnest(%s::text[], %s::bigint[]) AS m (coin_id, start_ms) "
    "CROSS JOIN LATERAL (SELECT ts_ms, price FROM prices WHERE coin_id = m.coin_id AND ts_ms >= m.start_ms "
    "AND ts_ms <= %s::bigint ORDER BY ts_ms) p"
)
_THINNED: Final[LiteralString] = (
    "SELECT ts_ms, price FROM (SELECT DISTINCT ON ((ts_ms + %(shift)s::bigint) / %(step)s::bigint) ts_ms, price "
    "FROM prices WHERE coin_id = %(coin)s AND ts_ms >= %(start)s::bigint AND ts_ms < %(end)s::bigint "
    "ORDER BY (ts_ms + %(shift)s::bigint) / %(step)s::bigint, ts_ms DESC) AS last ORDER BY ts_ms"
)
_SIZE: Final[LiteralString] = (
    "SELECT (SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint FROM pg_class "
    "WHERE relkind = 'r' AND relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = %s)), changed_ms FROM state"
)


class PostgresReader:
    """A PriceReader of a schema: each query is a read-only transaction of its own."""

    def __init__(self, connection: Connection, identity: object = None) -> None:
        self.connection = connection
        self._identity = connection if identity is None else identity

    @classmethod
    def open(cls, address: ServerAddress) -> Self:
        """Connect as the role that reads.

        Raises:
            NotReady: no collector has created the schema yet; OutOfReach: the server does not answer.
            ConfigurationError: a newer release wrote the schema, or the role may not read it.
        """
        return cls(open_connection(address))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; safe to call twice."""
        self.connection.close()

    def is_current(self) -> bool:
        """Whether the connection is open; one that broke leads to another server after a fail-over."""
        return not self.connection.closed

    @property
    def identity(self) -> object:
        """What tells this store from one that took its place: another connection may lead to another server."""
        return self._identity

    def revision(self, coin_id: str) -> int:
        """The revision of one coin, 0 if it is not known."""
        rows = self._rows("SELECT revision FROM coins WHERE id = %s", (coin_id,))
        return int(rows[0][0]) if rows else 0

    def data_version(self) -> int:
        """Number of the last commit; costs a round trip."""
        return int(self._state("SELECT commits FROM state")[0])

    def coins(self) -> list[Coin]:
        """The coins collected now, by rank."""
        rows = self._rows(
            "SELECT id, symbol, name, rank, updated, revision FROM coins WHERE tracked ORDER BY rank NULLS LAST, id"
        )
        return [Coin(*row) for row in rows]

    def known_coins(self) -> list[Coin]:
        """All coins that were ever collected, by id."""
        return [
            Coin(*row) for row in self._rows("SELECT id, symbol, name, rank, updated, revision FROM coins ORDER BY id")
        ]

    def latest(self) -> dict[str, Price]:
        """The newest price of each tracked coin."""
        return {row[0]: Price(*row) for row in self._rows(LATEST)}

    def as_of(self, coin_id: str, ts_ms: int) -> tuple[int, float] | None:
        """Event time and price of the last price at or before `ts_ms`, or None."""
        rows = self._rows(
            "SELECT ts_ms, price FROM prices WHERE coin_id = %s AND ts_ms <= %s::bigint ORDER BY ts_ms DESC LIMIT 1",
            (coin_id, ts_ms),
        )
        return rows[0] if rows else None

    def as_of_each(self, moments: Sequence[tuple[str, int]]) -> list[tuple[int, float] | None]:
        """The same for each coin and moment, in one query."""
        coins, times = [coin_id for coin_id, _ in moments], [ts_ms for _, ts_ms in moments]
        return [None if ts_ms is None else (ts_ms, price) for ts_ms, price in self._rows(_AS_OF, (coins, times))]

    def nearest(self, moments: Sequence[tuple[str, int]], tolerance_ms: int) -> list[tuple[int, float] | None]:
        """For each coin and moment the price nearest to it, or None if none is within the tolerance of it."""
        coins, times = [coin_id for coin_id, _ in moments], [ts_ms for _, ts_ms in moments]
        rows = self._rows(_NEAREST, (coins, times, tolerance_ms, tolerance_ms))
        return [None if ts_ms is None else (ts_ms, price) for ts_ms, price in rows]

    def range(self, coin_id: str, start_ms: int = 0, end_ms: int | None = None) -> list[tuple[int, float]]:
        """Event times and prices of one coin within [start_ms, end_ms], in order."""
        return self._rows(RANGE, (coin_id, start_ms, FOREVER_MS if end_ms is None else end_ms))

    def since(self, start_ms: Mapping[str, int], end_ms: int | None = None) -> dict[str, list[tuple[int, float]]]:
        """Event times and prices of many coins, each from its own start to one end, in order; of those with any."""
        values = (list(start_ms), list(start_ms.values()), FOREVER_MS if end_ms is None else end_ms)
        found: dict[str, list[tuple[int, float]]] = {}
        for coin_id, ts_ms, price in self._rows(_SINCE, values):
            found.setdefault(coin_id, []).append((ts_ms, price))
        return found

    def thinned(self, coin_id: str, start_ms: int, end_ms: int) -> list[tuple[int, float]]:
        """The last price of each 5-minute interval that ends on the grid, within [start_ms, end_ms), in order."""
        values = {"coin": coin_id, "start": start_ms, "end": end_ms, "step": GRID_STEP_MS, "shift": GRID_STEP_MS - 1}
        return self._rows(_THINNED, values)

    def newest(self, coin_id: str, start_ms: int, end_ms: int, limit: int) -> list[Price]:
        """At most `limit` prices of one coin within [start_ms, end_ms], newest first."""
        batches = self.batches(coin_id, start_ms, end_ms, limit)
        return [Price(coin_id, *row) for batch in batches for row in batch]

    def batches(
        self, coin_id: str, start_ms: int, end_ms: int, limit: int, *, ascending: bool = False, bare: bool = False
    ) -> Iterator[list[tuple[Any, ...]]]:
        """The same as rows (event time, price; unless bare, market cap, volume, fetch time), some thousand at a time.

        Each batch is a query of its own, so that no transaction stays open and memory stays small.
        """
        while limit > 0:
            asked = min(limit, _BATCH_ROWS)
            rows = self._rows(_PAGE[ascending, bare], (coin_id, start_ms, end_ms, asked))
            if rows:
                yield rows
            if len(rows) < asked:
                return
            limit -= asked
            start_ms, end_ms = (rows[-1][0] + 1, end_ms) if ascending else (start_ms, rows[-1][0] - 1)

    def count(self, coin_id: str, start_ms: int, end_ms: int) -> int:
        """Number of prices of one coin within [start_ms, end_ms]."""
        rows = self._rows(
            "SELECT count(*) " + _WITHIN,
            (coin_id, start_ms, end_ms),
        )
        return int(rows[0][0])

    def first_ms(self, coin_id: str) -> int | None:
        """Event time of the oldest price of one coin, or None without prices."""
        rows = self._rows("SELECT ts_ms FROM prices WHERE coin_id = %s ORDER BY ts_ms LIMIT 1", (coin_id,))
        return int(rows[0][0]) if rows else None

    def hourly(self, coin_id: str) -> list[tuple[int, float]]:
        """The hourly prices fetched at the first start, in order."""
        return self._rows("SELECT ts_ms, price FROM hourly WHERE coin_id = %s ORDER BY ts_ms", (coin_id,))

    def meta(self) -> dict[str, str]:
        """All values of the table `meta`."""
        return dict(self._rows("SELECT key, value FROM meta"))

    def size(self, schema: str) -> tuple[int, int | None]:
        """Bytes of all tables of the schema, and when it last changed, in UTC milliseconds."""
        size_bytes, changed_ms = self._state(_SIZE, (schema,))
        return size_bytes, changed_ms

    def _state(self, query: LiteralString, values: Values = ()) -> tuple[Any, ...]:
        """The row of a query on `state`, which is empty while a dump loads."""
        rows = self._rows(query, values)
        if not rows:
            raise NotReady(message("prices.none_stored"))
        return rows[0]

    def _rows(self, query: LiteralString, values: Values = ()) -> list[tuple[Any, ...]]:
        with reading():
            return as_rows(self.connection, query, values)


def open_connection(address: ServerAddress) -> Connection:
    """Connect as the role that reads, and check the version of the schema.

    Raises:
        NotReady, OutOfReach, ConfigurationError: as `PostgresReader.open`.
    """
    with reading():
        connection = connect(address.read_url or address.url)
        try:
            prepare_reading(connection, address.schema)
            if check_version(connection, address.schema) == 0:
                raise NotReady(message("prices.none_stored"))
        except BaseException:
            connection.close()
            raise
    return connection
