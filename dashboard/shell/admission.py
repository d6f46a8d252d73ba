"""How many visitors the server takes in at once, and what it refuses from all of them."""

from __future__ import annotations

import html
import re
from http import HTTPStatus
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse, PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboard.i18n.texts import Texts
from dashboard.shell.page_frame import asked_language

__all__ = ["Admission"]

_SESSIONS: Final = "/_stcore/stream"
_CLOSED: Final = re.compile(r"/(?:_stcore/(?!(?:health|host-config)$)|component/|auth/|oauth2callback$)")
"""What Streamlit's server offers and this dashboard does not use: uploads, figures of its own, an interface for agents,
files of components, logins by others. Of its core only what every page asks for is open, so later additions are not.
"""
_TRY_AGAIN: Final = 1013
"""WebSocket's code for a server that is overloaded for now."""
_RETRY_S: Final = "30"
_HEADERS: Final = {"Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff"}
_PAGE: Final = """<!doctype html><html lang="{language}"><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">
<meta http-equiv="refresh" content="{retry}"><title>{title}</title>
<body style="font:1rem/1.5 system-ui;max-width:34rem;margin:15vh auto;padding:0 1rem"><h1>{title}</h1><p>{text}</p>"""


class Admission:
    """ASGI middleware: refuses sockets beyond the limits and what nobody needs, and adds headers to every answer.

    Each open page holds two sockets: its session with Streamlit, and news of changes. While all sessions are taken, a
    new visitor gets a page that says so and asks again by itself.

    Args:
        app: what answers those that are admitted.
        most: sessions at once; each other address may hold as many sockets.
    """

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app = app
        self._most = most
        self._open: dict[str, int] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or hold one socket."""
        if scope["type"] == "websocket":
            await self._socket(scope, receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, _with_headers(send))
        else:
            await self._app(scope, receive, send)

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if self._open.get(path, 0) >= self._most:
            await receive()
            await send({"type": "websocket.close", "code": _TRY_AGAIN})
            return
        self._open[path] = self._open.get(path, 0) + 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._open[path] -= 1
            if not self._open[path]:
                del self._open[path]

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        if _CLOSED.search(scope["path"]):
            await PlainTextResponse("not found", HTTPStatus.NOT_FOUND)(scope, receive, send)
        elif self._is_full and _asks_for_page(scope):
            await _full_page(asked_language(scope))(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    @property
    def _is_full(self) -> bool:
        return self._open.get(_SESSIONS, 0) >= self._most


def _asks_for_page(scope: Scope) -> bool:
    headers = Headers(scope=scope)
    return scope["method"] in ("GET", "HEAD") and "text/html" in headers.get("accept", "")


def _full_page(language: str) -> HTMLResponse:
    texts = Texts(language)
    title, text = (html.escape(texts(f"errors.{name}")) for name in ("full_title", "full"))
    page = _PAGE.format(language=language, retry=_RETRY_S, title=title, text=text)
    headers = {"Retry-After": _RETRY_S, "Cache-Control": "no-store"}
    return HTMLResponse(page, HTTPStatus.SERVICE_UNAVAILABLE, headers)


def _with_headers(send: Send) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers[name] = value
        await send(message)

    return send_with_headers
