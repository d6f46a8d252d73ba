"""Records every request: its route, status, time and size, also of those that are refused."""

from __future__ import annotations

import time
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.metrics.request_measures import RequestMeasures, RouteNames

__all__ = ["RequestRecord"]

_VERSION_PREFIX: Final = "/v1"


class RequestRecord:
    """ASGI middleware around the request filter."""

    def __init__(self, app: ASGIApp, measures: RequestMeasures, names: RouteNames) -> None:
        self._app = app
        self._measures = measures
        self._names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and record how it was answered."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, size, begun = 0, 0, time.perf_counter()

        async def send_measured(message: Message) -> None:
            nonlocal status, size
            if message["type"] == "http.response.start":
                status = message["status"]
            elif message["type"] == "http.response.body":
                size += len(message.get("body", b""))
            await send(message)

        self._measures.in_progress += 1
        try:
            await self._app(scope, receive, send_measured)
        finally:
            self._measures.in_progress -= 1
            route = self._names.name(scope["path"].removeprefix(_VERSION_PREFIX))
            self._measures.record(route, status, time.perf_counter() - begun, size)
