"""The path of every answer: 304 first, then kept bytes, and a thread only for what must be made.

How a route uses it:

- It says what its answer depends on, before it reads data: `context.depends_on(Basis.PUBLICATION)`, or PRICES, BOTH,
  CLOSED for a range that no price can join any more, MOMENT for the present time (api/versions.py). The answer of a
  route that says nothing passes through untouched, each message at once, as an event stream needs it.
- It is a plain `def` and returns `context.json(value)`, `context.rows(table)` or another Response: FastAPI runs it in a
  thread once, and not a second time to validate a model.

From then on the body is kept by path, query, accepted format and content coding, as long as the version of its basis
stays the same; requests for it never leave the event loop. Requests for what is being made wait for the first of them;
while a large answer is made for the newest publication, they get the last one. ETag (a hash of the content),
Cache-Control, Vary, X-Fonte, zstd and gzip are set here. Only a body that comes in parts to a client that takes no
compression is sent on as it comes.

Stands inside CORS, whose headers differ by origin, and therefore looks at the bearer token itself.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.answer_capture import AnswerCapture, Dependence
from api.answer_request import AnswerRequest, read_request
from api.answer_store import Answer, AnswerKey, AnswerStore, RawHeader
from api.versions import LOOK_EVERY_S, Basis, VersionClock, Versions

__all__ = ["AnswerPath", "dependence_of"]

_PIECE_BYTES: Final = 256 * 1024
"""What waits in memory for each client that takes a long answer slowly; the answer itself is there once."""

_LARGE_BYTES: Final = 256 * 1024
_MOST_RENEWED: Final = 4
"""Answers this large take long to make: so many of those last asked for are made again as soon as they are old."""

_DEPENDENCE: Final = "crypto.dependence"

_log = logging.getLogger(__name__)


def dependence_of(scope: Scope) -> Dependence:
    """The record in which the route of this request says what its answer depends on."""
    found = scope.get(_DEPENDENCE)
    return found if isinstance(found, Dependence) else Dependence()


class AnswerPath:
    """ASGI middleware that keeps answers and sends them."""

    def __init__(
        self, app: ASGIApp, clock: VersionClock, is_allowed: Callable[[bytes], bool], *, is_private: bool = False
    ) -> None:
        """Wrap an application.

        Args:
            app: makes the answers.
            clock: tells their versions.
            is_allowed: whether this Authorization header may see kept answers; `app` refuses the others.
            is_private: whether shared caches must not keep answers.
        """
        self._app = app
        self._clock = clock
        self._is_allowed = is_allowed
        self._prefix = "private, " if is_private else ""
        self._store = AnswerStore()
        self._flights: dict[AnswerKey, asyncio.Future[Answer | None]] = {}
        self._wanted: OrderedDict[AnswerKey, Scope] = OrderedDict()
        self._renewing: set[AnswerKey] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with what is kept, or let the application answer and keep that."""
        if scope["type"] != "http" or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        request = read_request(scope)
        if not self._is_allowed(request.authorization):
            await self._app(scope, receive, send)
            return
        versions = self._clock.versions()
        answer = self._store.get(request.key)
        if answer is None or not (versions.allow(answer.basis, answer.version) or request.key in self._renewing):
            answer = await self._shared(request.key, versions)
        if answer is None:
            answer = await self._made(request, versions, scope, receive, send)
        if answer is not None:
            self._note(request.key, answer, scope)
            await self._send(answer, request, versions, send)

    @asynccontextmanager
    async def renewing(self) -> AsyncIterator[None]:
        """Make large answers of the newest publication before they are asked for, if the last one's were asked for.

        The last ones are given out until then, so that nobody waits.
        """
        task = asyncio.create_task(self._renew_each_publication())
        try:
            yield
        finally:
            task.cancel()

    async def _renew_each_publication(self) -> None:
        token = None
        while True:
            versions = self._clock.versions()
            if (newest := versions.tokens.get(Basis.PUBLICATION)) != token:
                token = newest
                await self._renew_wanted(versions)
            await asyncio.sleep(LOOK_EVERY_S)

    async def _renew_wanted(self, versions: Versions) -> None:
        wanted, self._wanted = self._wanted, OrderedDict()
        old = [key for key in wanted if key not in self._flights]
        self._renewing = set(old)
        for key in old:
            try:
                await self._made(read_request(wanted[key]), versions, wanted[key], _nothing_received, _nothing_sent)
            except Exception:
                _log.exception("%s was not made again", key.path)
            finally:
                self._renewing.discard(key)

    def _note(self, key: AnswerKey, answer: Answer, scope: Scope) -> None:
        if answer.basis is Basis.PUBLICATION and len(answer.body) >= _LARGE_BYTES:
            self._wanted[key] = scope
            self._wanted.move_to_end(key)
            while len(self._wanted) > _MOST_RENEWED:
                self._wanted.popitem(last=False)

    async def _shared(self, key: AnswerKey, versions: Versions) -> Answer | None:
        """The answer that other requests are waiting for, if it can be shared."""
        while (flight := self._flights.get(key)) is not None:
            answer = await asyncio.shield(flight)
            if answer is None or versions.allow(answer.basis, answer.version):
                return answer
        return None

    async def _made(
        self, request: AnswerRequest, versions: Versions, scope: Scope, receive: Receive, send: Send
    ) -> Answer | None:
        """The answer as the application makes it now; None if it cannot be kept and has been sent already."""
        capture = AnswerCapture(request, versions, self._cache_control, send)
        self._flights.setdefault(request.key, capture.made)
        try:
            await self._app({**scope, _DEPENDENCE: capture.dependence}, receive, capture.send)
        finally:
            capture.give_up()
            if self._flights.get(request.key) is capture.made:
                del self._flights[request.key]
        answer = capture.made.result()
        if answer is not None:
            self._store.put(request.key, answer)
        return answer

    async def _send(self, answer: Answer, request: AnswerRequest, versions: Versions, send: Send) -> None:
        is_current = versions.allow(answer.basis, answer.version)
        cache_control = self._cache_control(answer.basis, versions, is_current=is_current)
        if request.knows(answer.tag):
            headers = [*(header for header in answer.headers if not header[0].startswith(b"content-")), cache_control]
            await send({"type": "http.response.start", "status": 304, "headers": headers})
            await send({"type": "http.response.body", "body": b""})
            return
        length = (b"content-length", b"%d" % len(answer.body))
        await send({"type": "http.response.start", "status": 200, "headers": [*answer.headers, cache_control, length]})
        size = len(answer.body)
        for start in range(0, max(1, size), _PIECE_BYTES):  # no faster than the client takes them
            end = start + _PIECE_BYTES
            await send({"type": "http.response.body", "body": answer.body[start:end], "more_body": end < size})

    def _cache_control(self, basis: Basis, versions: Versions, *, is_current: bool = True) -> RawHeader:
        if basis is Basis.MOMENT:
            return b"cache-control", b"no-store"
        seconds = versions.max_age_s(basis, time.monotonic()) if is_current else 0
        text = f"{self._prefix}max-age={seconds}" if seconds else f"{self._prefix}no-cache"
        return b"cache-control", (text + ", immutable" if seconds and basis is Basis.CLOSED else text).encode()


async def _nothing_received() -> Message:
    message: Message = await asyncio.get_running_loop().create_future()
    return message


async def _nothing_sent(message: Message) -> None:
    del message
