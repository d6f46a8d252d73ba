"""Which other sites may show the dashboard in a frame, told to the browser with every answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import MutableHeaders
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Framing", "frame_ancestors"]

_EMBED: Final = "embed"


def frame_ancestors(origins: Sequence[str]) -> str:
    """The policy that lets this server's own pages and those of `origins` frame the dashboard."""
    return " ".join(["frame-ancestors 'self'", *origins])


class Framing:
    """ASGI middleware: says who may frame the page, and takes `?embed=1` for the `?embed=true` that Streamlit knows."""

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        self._app = app
        self._policy = frame_ancestors(origins)

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
