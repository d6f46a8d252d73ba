"""Records every request, also one that is refused: counts it, and writes one line of the log if that is wished for."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.metrics.request_measures import RequestMeasures, RouteNames

__all__ = ["RequestRecord"]

_VERSION_PREFIX: Final = "/v1"
_MAX_PATH: Final = 200
"""Characters of a path that a line of the log shows."""

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Answer:
    """What is known of the answer to one request; status 0 until there is one."""

    status: int = 0
    size: int = 0
    headers: Iterable[tuple[bytes, bytes]] = ()

    def note(self, message: Message) -> None:
        """Take what a message of the answer tells."""
        if message["type"] == "http.response.body":
            self.size += len(message.get("body", b""))
        elif message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = message.get("headers", ())


class RequestRecord:
    """ASGI middleware around the request filter."""

    def __init__(self, app: ASGIApp, measures: RequestMeasures, names: RouteNames, *, logs: bool) -> None:
        """Wrap an application.

        Args:
            app: answers the requests.
            measures: counts them.
            names: finds the route of a path.
            logs: whether each request has a line in the log.
        """
        self._app = app
        self._measures = measures
        self._names = names
        self._logs = logs

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and record how it was answered."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer, begun = _Answer(), time.perf_counter()

        def send_noted(message: Message) -> Awaitable[None]:
            answer.note(message)
            return send(message)

        self._measures.in_progress += 1
        try:
            await self._app(scope, receive, send_noted)
        finally:
            self._measures.in_progress -= 1
            self._record(scope, answer, time.perf_counter() - begun)

    def _record(self, scope: Scope, answer: _Answer, seconds: float) -> None:
        route = self._names.name(scope["path"].removeprefix(_VERSION_PREFIX))
        self._measures.record(route, answer.status, seconds, answer.size)
        if self._logs:
            _log_request(scope, route, answer, seconds)


def _log_request(scope: Scope, route: str, answer: _Answer, seconds: float) -> None:
    """One line, without the query: it may name what somebody owns. The path stays as it was sent, escaped."""
    path = scope.get("raw_path", b"").decode("latin-1").partition("?")[0][:_MAX_PATH]
    fields = {
        "request_id": dict(answer.headers).get(b"x-request-id", b"").decode(),
        "client": scope["client"][0] if scope.get("client") else None,
        "method": scope["method"],
        "path": path,
        "route": route,
        "status": answer.status,
        "bytes": answer.size,
        "seconds": round(seconds, 6),
    }
    text = f"{scope['method']} {path} {answer.status or 'aborted'}, {answer.size} bytes in {1000 * seconds:.1f} ms"
    _log.info("%s", text, extra=fields)
