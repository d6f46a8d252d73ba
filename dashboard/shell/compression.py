"""Compresses the scripts of Streamlit, which sends them as they are: three times the bytes that a first visit needs.

Streamlit leaves them alone because a server would compress them for each visitor again. Here each file is read and
compressed once and kept, which also makes the hundred small ones of a first visit cheap: names change with contents.
"""

from __future__ import annotations

import asyncio
import gzip
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["CompressedFiles"]

_PREFIXES: Final = ("/static/", "/assets/")
_ENDINGS: Final = (".js", ".css")
_KINDS: Final = ("javascript", "css")
_LEVEL: Final = 6
_MOST_FILES: Final = 400
_LEAST_BYTES: Final = 1000
_WHOLE: Final = 200
_CONDITIONS: Final = {b"accept-encoding", b"if-none-match", b"if-modified-since"}


class CompressedFiles:
    """Middleware that sends scripts and styles from memory, compressed, to browsers that accept it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._kept: dict[str, tuple[Message, bytes]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer from what is kept, or keep the answer of the server."""
        if not _is_script(scope):
            await self._app(scope, receive, send)
            return
        path = scope["path"]
        if path not in self._kept:
            start, body = await self._answer(scope, receive)
            if not _worth_keeping(start) or len(self._kept) >= _MOST_FILES:
                await _say(send, start, body)
                return
            self._kept[path] = await asyncio.to_thread(_compressed, start, body)
        await _say(send, *self._kept[path])

    async def _answer(self, scope: Scope, receive: Receive) -> tuple[Message, bytes]:
        """What the server answers, whole; asked without leave to compress or to say `not modified`."""
        plain = [(name, value) for name, value in scope["headers"] if name not in _CONDITIONS]
        messages: list[Message] = []

        async def collect(message: Message) -> None:
            messages.append(message)

        await self._app({**scope, "headers": plain}, receive, collect)
        return messages[0], b"".join(message.get("body", b"") for message in messages[1:])


def _is_script(scope: Scope) -> bool:
    if scope["type"] != "http" or scope["method"] != "GET":
        return False
    path, headers = scope["path"], Headers(scope=scope)
    named = any(prefix in path for prefix in _PREFIXES) and path.endswith(_ENDINGS)
    return named and "gzip" in headers.get("accept-encoding", "") and "range" not in headers


def _worth_keeping(start: Message) -> bool:
    """Whether this is a script or style: for a name it does not know, Streamlit sends its page."""
    kind = Headers(raw=start["headers"]).get("content-type", "")
    return start["status"] == _WHOLE and any(word in kind for word in _KINDS)


def _compressed(start: Message, body: bytes) -> tuple[Message, bytes]:
    """The answer as it is kept: compressed, unless it is so small that nothing would be saved."""
    if len(body) < _LEAST_BYTES:
        return start, body
    small = gzip.compress(body, _LEVEL, mtime=0)
    headers = MutableHeaders(raw=list(start["headers"]))
    headers["Content-Encoding"] = "gzip"
    headers["Content-Length"] = str(len(small))
    headers.add_vary_header("Accept-Encoding")
    return {**start, "headers": headers.raw}, small


async def _say(send: Send, start: Message, body: bytes) -> None:
    await send({**start})  # middleware around this adds headers to what it is sent, not to what is kept
    await send({"type": "http.response.body", "body": body})
