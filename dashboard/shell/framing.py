"""Answers with the policy of the page, and the address of a page in a frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import MutableHeaders
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboard.shell.content_policy import content_policy

__all__ = ["Framing"]

_EMBED: Final = "embed"


class Framing:
    """ASGI middleware: says what a page may do, and takes `?embed=1` for the `?embed=true` that Streamlit knows."""

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        self._app = app
        self._policy = content_policy(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["Content-Security-Policy"] = self._policy
            await send(message)

        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        if (_EMBED, "1") in query:
            asked = urlencode([(name, "true" if name == _EMBED else value) for name, value in query])
            await RedirectResponse(f"{scope['path']}?{asked}")(scope, receive, send_with_policy)
            return
        await self._app(scope, receive, send_with_policy)
