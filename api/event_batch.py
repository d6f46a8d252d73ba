"""Events as bytes: made once, shared by all listeners that asked for the same."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pyarrow as pa
from pydantic import BaseModel
from pydantic_core import to_json

from api.event_schemas import EventKind
from api.json_rows import json_objects

__all__ = ["GAP", "Event", "EventBatch", "Selection", "make_event", "row_events"]

GAP = "lacuna"


@dataclass(frozen=True)
class Selection:
    """Which events a listener wants; no coins means those of all."""

    coins: frozenset[str] | None
    kinds: frozenset[EventKind]


@dataclass(frozen=True)
class Event:
    """One event in the text of server-sent events, without its end; no coin means that it concerns all."""

    kind: EventKind
    coin_id: str | None
    text: bytes

    def is_in(self, selection: Selection) -> bool:
        """Whether a listener wants it."""
        of_coin = self.coin_id is None or selection.coins is None or self.coin_id in selection.coins
        return of_coin and self.kind in selection.kinds


def make_event(kind: EventKind, coin_id: str | None, body: BaseModel, name: str | None = None) -> Event:
    """An event with this body as JSON; its name is that of the kind unless given."""
    return _event(kind, coin_id, to_json(body, inf_nan_mode="null"), name or kind.value)


def row_events(kind: EventKind, coin_ids: Iterable[str], rows: pa.Table) -> list[Event]:
    """An event for each row of a table, its columns as the fields of the body; `coin_ids` says whose rows they are."""
    return [_event(kind, coin, data, kind.value) for coin, data in zip(coin_ids, json_objects(rows), strict=True)]


def _event(kind: EventKind, coin_id: str | None, data: bytes, name: str) -> Event:
    return Event(kind, coin_id, b"event: %s\ndata: %s\n" % (name.encode(), data))


class EventBatch:
    """Events that came together; the last one that a listener gets carries the id of the place after them."""

    def __init__(self, events: Sequence[Event], place: str | None) -> None:
        self._events = tuple(events)
        self._place = place
        self._names_coins = any(event.coin_id is not None for event in self._events)
        self._chosen: dict[Selection, bytes] = {}

    def text(self, selection: Selection) -> bytes:
        """The events that a listener wants, one object for all that want the same; empty if there are none."""
        if not self._names_coins:
            selection = Selection(None, selection.kinds)
        found = self._chosen.get(selection)
        if found is None:
            texts = [event.text for event in self._events if event.is_in(selection)]
            if texts and self._place is not None:
                texts[-1] = b"id: %s\n%s" % (self._place.encode(), texts[-1])
            found = self._chosen[selection] = b"".join(text + b"\n" for text in texts)
        return found
