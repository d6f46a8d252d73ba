"""Listeners of the stream of events: one reader for all of them, and a short queue for each."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from typing import Final, TypeVar

from api.event_batch import EventBatch, Selection, make_event
from api.event_feed import EventFeed, Place
from api.event_schemas import EventKind, GapReason, SuiteState
from core.errors import ForecastingError
from core.logs import RepeatFilter

__all__ = ["HEARTBEAT_S", "EventHub", "Listener", "TooManyListeners"]

HEARTBEAT_S: Final = 15.0
"""After so long without an event a listener gets a comment and the place, so that both sides know it is alive."""

_LOOK_S: Final = 0.1
_STATUS_EVERY_S: Final = 1.0
_MAX_WAITING: Final = 64
"""Batches that wait for a slow listener; beyond, its connection ends, and it can come back to where it was."""

_PIECE_BYTES: Final = 32_768
"""Longest text given to a connection at once; it takes the next one when most of the last is on its way."""

_KEPT_OPENINGS: Final = 16
_RETRY_MS: Final = 2000
_UNREADABLE: Final = "unreadable"

_Value = TypeVar("_Value")
_log = logging.getLogger(__name__)
_log.addFilter(RepeatFilter())


class TooManyListeners(Exception):
    """No place is free, for anybody or for this client."""


class Listener:
    """One open connection and the texts that wait for it."""

    def __init__(self, selection: Selection, client: str | None) -> None:
        self.selection = selection
        self.client = client
        self.is_open = True
        self._waiting: deque[bytes] = deque()
        self._woken = asyncio.Event()

    def offer(self, batch: EventBatch) -> None:
        """Queue what it wants of a batch; a listener that does not keep up is closed."""
        text = batch.text(self.selection)
        if len(self._waiting) >= _MAX_WAITING:
            self.close()
        elif text:
            self._waiting.append(text)
            self._woken.set()

    def close(self) -> None:
        """End the connection after what it is sending now."""
        self.is_open = False
        self._woken.set()

    async def texts(self) -> AsyncIterator[bytes | None]:
        """The texts as they come, None after a silence, until it is closed."""
        while self.is_open:
            try:
                async with asyncio.timeout(HEARTBEAT_S):
                    await self._woken.wait()
            except TimeoutError:
                yield None
                continue
            self._woken.clear()
            while self._waiting and self.is_open:
                yield self._waiting.popleft()


class EventHub:
    """Reads what is new while anybody listens, and gives it to all listeners; for one event loop."""

    def __init__(
        self, feed: EventFeed, suite_state: Callable[[], SuiteState], max_listeners: int, max_per_client: int
    ) -> None:
        """Make a hub without listeners.

        Args:
            feed: reads the events.
            suite_state: reads the state of the suite.
            max_listeners: of all clients together.
            max_per_client: of each client that has a name.
        """
        self._feed = feed
        self._suite_state = suite_state
        self._max_listeners = max_listeners
        self._max_per_client = max_per_client
        self._listeners: set[Listener] = set()
        self._admitted: Counter[str | None] = Counter()
        self._openings: dict[tuple[object, Place], asyncio.Task[EventBatch]] = {}
        self._watch: asyncio.Task[None] | None = None
        self._place: Place | None = None
        self._version: str | None = None
        self._status: EventBatch | None = None
        self._status_at = 0.0
        self._is_closed = False

    def admit(self, selection: Selection, client: str | None) -> Listener:
        """A new listener, which must be released when its connection ends.

        Args:
            selection: what it wants.
            client: the network of a client on another machine.

        Raises:
            TooManyListeners: there are enough already.
        """
        full = self._admitted.total() >= self._max_listeners
        if full or self._is_closed or (client is not None and self._admitted[client] >= self._max_per_client):
            raise TooManyListeners
        self._admitted[client] += 1
        return Listener(selection, client)

    def release(self, listener: Listener) -> None:
        """Forget a listener."""
        self._listeners.discard(listener)
        self._admitted[listener.client] -= 1
        self._admitted += Counter()
        if not self._listeners and self._watch is not None:
            self._watch.cancel()
            self._forget()

    def close(self) -> None:
        """End all connections; nobody is admitted any more."""
        self._is_closed = True
        if self._watch is not None:
            self._watch.cancel()
        for listener in self._listeners:
            listener.close()

    async def stream(self, listener: Listener, last_id: str | None) -> AsyncIterator[bytes]:
        """The text of the stream, after the event with this id, in pieces.

        Raises:
            NotReady: the suite has not decided on a source yet.
        """
        place = await self._join(listener)
        status = self._status
        yield b"retry: %d\n\n" % _RETRY_MS
        try:
            opening = await self._opening(last_id, place)
        except (ForecastingError, OSError) as error:
            _log.warning("cannot read what a listener has missed: %s", error)
            return
        for batch in (opening, status):
            for piece in _pieces(b"" if batch is None else batch.text(listener.selection)):
                yield piece
        async for text in listener.texts():
            for piece in _pieces(self._sign_of_life() if text is None else text):
                yield piece

    async def _join(self, listener: Listener) -> Place:
        """Add a listener at the present place, from which on it gets every batch."""
        place = self._place
        if place is None:
            place = await asyncio.to_thread(self._feed.place)
            self._place = place = self._place or place
        if self._watch is None:
            self._watch = asyncio.create_task(self._look())
            self._watch.add_done_callback(self._ended)
        self._listeners.add(listener)
        return place

    async def _opening(self, last_id: str | None, end: Place) -> EventBatch:
        """What a listener gets first; made once for all that come with the same id."""
        start = None if last_id is None else (Place.parse(last_id) or _UNREADABLE)
        task = self._openings.get((start, end))
        if task is None:
            while len(self._openings) >= _KEPT_OPENINGS:
                del self._openings[next(iter(self._openings))]
            task = asyncio.create_task(asyncio.to_thread(self._opened, start, end))
            self._openings[start, end] = task
        try:
            return await asyncio.shield(task)
        except BaseException:
            self._openings.pop((start, end), None)
            raise

    def _opened(self, start: Place | str | None, end: Place) -> EventBatch:
        if start is None:
            return self._feed.opening(end)
        if isinstance(start, str):
            return self._feed.opening(end, GapReason.UNREADABLE)
        return self._feed.between(start, end)

    async def _look(self) -> None:
        """Look for what is new, ten times a second."""
        while True:
            try:
                await self._take_news()
                await self._take_status()
            except (ForecastingError, OSError) as error:
                _log.warning("cannot read what is new for %d listeners: %s", len(self._listeners), error)
            await asyncio.sleep(_LOOK_S)

    async def _take_news(self) -> None:
        version, start = self._feed.version(), self._place
        if start is None or version == self._version:
            return
        end = (await asyncio.to_thread(self._feed.place)).or_what_is_missing(start)
        batch = await asyncio.to_thread(self._feed.between, start, end)
        self._place, self._version = end, version
        for listener in self._listeners:
            listener.offer(batch)

    async def _take_status(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._status_at < _STATUS_EVERY_S:
            return
        self._status_at = now
        state = await asyncio.to_thread(self._suite_state)
        batch = EventBatch([make_event(EventKind.STATUS, None, state)], None)
        everything = Selection(None, frozenset(EventKind))
        if self._status is None or self._status.text(everything) != batch.text(everything):
            self._status = batch
            for listener in self._listeners:
                listener.offer(batch)

    def _sign_of_life(self) -> bytes:
        return b":\n\n" if self._place is None else b":\nid: %s\n\n" % str(self._place).encode()

    def _forget(self) -> None:
        """Be as before the first listener."""
        self._watch = self._place = self._version = self._status = None
        self._openings.clear()

    def _ended(self, watch: asyncio.Task[None]) -> None:
        """Close all listeners after an unforeseen error, so that they come back and are told of it."""
        if not watch.cancelled() and (error := watch.exception()) is not None:
            _log.error("the stream of events ended: %r", error, exc_info=error)
            self._forget()
            for listener in self._listeners:
                listener.close()


def _pieces(text: bytes) -> list[bytes]:
    return [text[start : start + _PIECE_BYTES] for start in range(0, len(text), _PIECE_BYTES)]
