"""HEAD wherever GET is: the same answer without its body."""

from __future__ import annotations

import anyio
import anyio.lowlevel
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["HeadRequests"]


class HeadRequests:
    """ASGI middleware that turns HEAD into GET and keeps the body back; an endless answer ends after its headers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer HEAD by GET; pass other requests on."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        with anyio.CancelScope() as rest:

            async def send_headers(message: Message) -> None:
                if message["type"] == "http.response.body":
                    await send({"type": "http.response.body", "body": b""})
                    rest.cancel()
                    await anyio.lowlevel.checkpoint()
                else:
                    await send(message)

            await self._app({**scope, "method": "GET"}, receive, send_headers)
