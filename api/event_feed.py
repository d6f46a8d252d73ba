"""Makes batches of events from what collector and pipeline have stored."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from api.event_batch import GAP, Event, EventBatch, make_event, row_events
from api.event_schemas import EventKind, Gap, GapReason
from api.forecast_rows import Wanted, forecast_rows
from api.table_rows import logged_rows, price_rows
from core.forecast_schema import HORIZONS_MIN
from core.reading.changes import (
    Moment,
    NewPrices,
    fetched_ahead,
    moment,
    new_outcomes,
    new_prices,
    new_publications,
    published_forecasts,
)
from core.reading.forecast_columns import last_hours
from core.reading.readers import Readers
from core.reading.tables import Page
from core.reading.trust import trust_by_coin
from core.times import iso
from core.workspace import Workspace

__all__ = ["EventFeed", "Place"]

_PLACE: Final = re.compile(r"(\d{1,15})\.(\d{1,15})\.([0-9a-f]{6})")
_FETCH: Final = {
    EventKind.PRICE: "/historico/{moeda}",
    EventKind.FORECAST: "/previsoes/{moeda}",
    EventKind.SCORE: "/previsoes/{moeda}",
}


@dataclass(frozen=True)
class Place:
    """A place in the stream of events, which the id of an event names: a moment in the data of one workspace."""

    moment: Moment
    workspace: str

    def __str__(self) -> str:
        return f"{self.moment.publication}.{self.moment.fetched_ms}.{self.workspace}"

    def or_what_is_missing(self, before: Place) -> Place:
        """This place, with what `before` says where manifest or price store cannot be read for the moment."""
        if self.workspace != before.workspace:
            return self
        publication = self.moment.publication or before.moment.publication
        return Place(Moment(publication, self.moment.fetched_ms or before.moment.fetched_ms), self.workspace)

    @staticmethod
    def parse(text: str) -> Place | None:
        """The place that an id names; None if it is no such id."""
        match = _PLACE.fullmatch(text)
        return Place(Moment(int(match[1]), int(match[2])), match[3]) if match else None


class EventFeed:
    """Reads the present place and the events between two places; for any thread."""

    def __init__(self, readers: Readers, interval_s: float) -> None:
        self._readers = readers
        self._interval_s = interval_s

    def version(self) -> str:
        """A token that changes when the place may have changed; costs microseconds."""
        return self._readers.version()

    def place(self) -> Place:
        """The present place.

        Raises:
            NotReady: the suite has not decided on a source yet.
        """
        workspace = self._readers.workspace()
        return Place(moment(self._readers), _tag(workspace))

    def opening(self, end: Place, reason: GapReason | None = None) -> EventBatch:
        """Newest price and forecast of every coin, for a listener that has none, or after a gap of everything."""
        gaps = [] if reason is None else [_gap(kind, reason, None) for kind in _FETCH]
        events = [*gaps, *self._newest_prices(end.moment), *self._forecasts(end.moment.publication)]
        return EventBatch(events, str(end))

    def between(self, start: Place, end: Place) -> EventBatch:
        """The events after `start`, up to `end`; what cannot be told any more is named by gaps, before the newest."""
        if start.workspace != end.workspace:
            return self.opening(end, GapReason.OTHER_DATA)
        if start.moment.publication > end.moment.publication or start.moment.fetched_ms > end.moment.fetched_ms:
            return self.opening(end, GapReason.AHEAD)
        events = [*self._price_events(start.moment, end.moment), *self._forecast_events(start.moment, end.moment)]
        return EventBatch(events, str(end))

    def _price_events(self, start: Moment, end: Moment) -> Iterator[Event]:
        """Prices and the outcomes that became known with them."""
        if start.fetched_ms == end.fetched_ms:
            return
        coins, workspace = {coin.id: coin for coin in self._readers.coins()}, self._readers.workspace()
        found = {coin: new_prices(self._readers, coin, start.fetched_ms, end.fetched_ms) for coin in coins}
        known: dict[str, NewPrices] = {coin: prices for coin, prices in found.items() if prices is not None}
        if len(known) < len(found):
            yield _gap(EventKind.PRICE, GapReason.TOO_OLD, start)
            yield _gap(EventKind.SCORE, GapReason.TOO_OLD, start)
            yield from self._newest_prices(end)
            return
        priced = {coin: price_rows(coins[coin], new.rows, workspace) for coin, new in known.items()}
        yield from _table_events(EventKind.PRICE, priced)
        logged = new_outcomes(self._readers, known).items()
        scored = {coin: logged_rows(coins[coin], rows, HORIZONS_MIN[-1], workspace) for coin, rows in logged}
        yield from _table_events(EventKind.SCORE, scored)

    def _forecast_events(self, start: Moment, end: Moment) -> Iterator[Event]:
        numbers = new_publications(self._readers.workspace().processed, start.publication, end.publication)
        if numbers is None:
            yield _gap(EventKind.FORECAST, GapReason.TOO_OLD, start)
            numbers = [end.publication]
        for number in numbers:
            yield from self._forecasts(number)

    def _forecasts(self, number: int) -> list[Event]:
        """The forecasts of one publication, in the order of the coins."""
        if not number:
            return []
        workspace = self._readers.workspace()
        forecasts = published_forecasts(workspace.processed, number)
        rows = forecast_rows(
            self._readers.coins(),
            Wanted(HORIZONS_MIN[-1]),
            forecasts=forecasts,
            hours=last_hours(self._readers, forecasts),
            trust=trust_by_coin(self._readers, HORIZONS_MIN[-1]),
            workspace=workspace,
            interval_s=self._interval_s,
        )
        return row_events(EventKind.FORECAST, rows["id"].to_pylist(), rows)

    def _newest_prices(self, end: Moment) -> list[Event]:
        """The newest price of every coin that has none after `end`, unless that one was fetched ahead."""
        if not end.fetched_ms:
            return []
        workspace, latest = self._readers.workspace(), self._readers.latest_prices()
        ahead = fetched_ahead(latest)
        tables: dict[str, pa.Table] = {}
        for coin in self._readers.coins():
            if coin.id in latest and (coin.id in ahead or latest[coin.id].fetched_ms <= end.fetched_ms):
                ts_ms = latest[coin.id].ts_ms
                tables[coin.id] = price_rows(coin, self._readers.price_table(coin.id, Page(ts_ms, ts_ms, 1)), workspace)
        return _table_events(EventKind.PRICE, tables)


def _table_events(kind: EventKind, tables: Mapping[str, pa.Table]) -> list[Event]:
    """An event for each row of the tables, which are by coin."""
    if not tables:
        return []
    coins = [coin for coin, table in tables.items() for _ in range(table.num_rows)]
    return row_events(kind, coins, pa.concat_tables([_with_plain_texts(table) for table in tables.values()]))


def _with_plain_texts(table: pa.Table) -> pa.Table:
    """The same without dictionaries, whose numbers are too small for the texts of many coins."""
    types = ((field.name, field.type) for field in table.schema)
    plain = [(name, kind.value_type if pa.types.is_dictionary(kind) else kind) for name, kind in types]
    return table.cast(pa.schema(plain))


def _gap(kind: EventKind, reason: GapReason, start: Moment | None) -> Event:
    since = iso(start.fetched_ms) if start is not None and start.fetched_ms else None
    query = "" if since is None else f"?inicio={since.replace('+00:00', 'Z')}"
    body = Gap(tipo=kind, motivo=reason, desde=since, buscar=_FETCH[kind] + query)
    return make_event(kind, None, body, GAP)


def _tag(workspace: Workspace) -> str:
    """Short mark of the data of one workspace."""
    parts = (workspace.source.value, workspace.currency, workspace.epoch_ms, workspace.seed, workspace.recording)
    return hashlib.blake2s(repr(parts).encode(), digest_size=3).hexdigest()
