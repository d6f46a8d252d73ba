"""The document that a browser gets first: Streamlit's, in the reader's language and with our styles and scripts."""

from __future__ import annotations

from typing import Final

from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.wording import LANGUAGES
from dashboard.shell.assets import asset_url
from dashboard.shell.frontend_modules import early_modules

__all__ = ["PageFrame", "asked_language", "first_language"]

_LANG: Final = b'<html lang="en">'
_HEAD: Final = b"<head>"
_HEAD_END: Final = b"</head>"
_TAGS: Final = {"pt": "pt-BR", "en": "en"}
_SCRIPTS: Final = ("page.js", "clock.js", "chart.js")


def first_language(locale: str | None) -> str:
    """The language for a browser that prefers `locale`, such as `pt-BR`: English unless it is Portuguese or unknown."""
    return LANGUAGES[0] if not locale or locale.lower().startswith(LANGUAGES[0]) else "en"


class PageFrame:
    """Middleware that completes the HTML of the page; everything else passes through.

    Browsers then fetch plotly.js and our scripts beside Streamlit's own, not after them.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and complete the answer if it is the page."""
        if scope["type"] != "http" or "text/html" not in Headers(scope=scope).get("accept", ""):
            await self._app(scope, receive, send)
            return
        await self._app(scope, receive, _Completion(send, asked_language(scope)))


class _Completion:
    """Collects an HTML answer and sends it completed."""

    def __init__(self, send: Send, language: str) -> None:
        self._send = send
        self._language = language
        self._start: Message | None = None
        self._body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            if Headers(raw=message["headers"]).get("content-type", "").startswith("text/html"):
                self._start = message
                return
        elif self._start is not None and message["type"] == "http.response.body":
            self._body += message.get("body", b"")
            if message.get("more_body", False):
                return
            await self._send_completed(self._start)
            return
        await self._send(message)

    async def _send_completed(self, start: Message) -> None:
        lang = f'<html lang="{_TAGS[self._language]}">'.encode()
        body = self._body.replace(_LANG, lang, 1).replace(_HEAD, _HEAD + _links().encode(), 1)
        body = body.replace(_HEAD_END, _later_links().encode() + _HEAD_END, 1)
        headers = MutableHeaders(raw=list(start["headers"]))
        headers["Content-Length"] = str(len(body))
        for name in ("ETag", "Last-Modified"):  # they name the file, not what is sent
            if name in headers:
                del headers[name]
        await self._send({**start, "headers": headers.raw})
        await self._send({"type": "http.response.body", "body": body})


def _links() -> str:
    styles = [f'<link rel="stylesheet" href="{asset_url(name)}">' for name in ("page.css", "chart.css")]
    scripts = [f'<link rel="modulepreload" href="{asset_url(name)}">' for name in _SCRIPTS]
    return "".join([*styles, *scripts])


def _later_links() -> str:
    """Modules that are needed soon, but after those that Streamlit's page names."""
    return "".join(
        f'<link rel="modulepreload" crossorigin fetchpriority="low" href="./{address}">' for address in early_modules()
    )


def asked_language(scope: Scope) -> str:
    """The language of the address, or else the one that the browser prefers."""
    chosen = QueryParams(scope["query_string"]).get("idioma", "")
    accepted = Headers(scope=scope).get("accept-language", "")
    return chosen if chosen in LANGUAGES else first_language(accepted.partition(",")[0])
