"""Tells open pages over a WebSocket when something they show has changed, so that they need not ask."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable
from typing import Final

from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket
from streamlit.web.server.server_util import is_url_from_allowed_origins
from streamlit.web.server.starlette.starlette_websocket import is_host_allowed

from core.times import now_ms

__all__ = ["ChangeFeed"]

_log = logging.getLogger("dashboard")

_PATH: Final = "/changes"
_EVERY_S: Final = 1.0
_REFUSED: Final = 1008
"""WebSocket's code for a connection that a policy forbids."""


class ChangeFeed:
    """Looks at the data once a second for all open pages together; without pages it does not look.

    Args:
        stamp: Names the state of everything that pages show; it runs in a thread.
    """

    def __init__(self, stamp: Callable[[], str]) -> None:
        self._stamp = stamp
        self._server = secrets.token_hex(4)
        self._newest = ""
        self._changed = asyncio.Event()
        self._pages = 0

    def route(self) -> WebSocketRoute:
        """The route to which pages connect."""
        return WebSocketRoute(_PATH, self._listen)

    async def watch(self) -> None:
        """Look for changes until cancelled."""
        while True:
            if self._pages:
                try:
                    await self._look()
                except Exception:
                    _log.exception("cannot tell whether the data have changed; looking again in a second")
            await asyncio.sleep(_EVERY_S)

    async def _look(self) -> None:
        stamp = await asyncio.to_thread(self._stamp)
        if stamp != self._newest:
            self._newest = stamp
            self._changed.set()
            self._changed = asyncio.Event()

    async def _listen(self, page: WebSocket) -> None:
        """Send the newest stamp, the server's time and its name now and with each change, until the page goes."""
        if not _is_ours(page):
            await page.close(_REFUSED)
            return
        await page.accept()
        self._pages += 1
        gone = asyncio.create_task(_closed(page))
        try:
            await self._look()
            while not gone.done():
                changed = asyncio.create_task(self._changed.wait())
                await page.send_json({"server": self._server, "stamp": self._newest, "now": now_ms()})
                await asyncio.wait({gone, changed}, return_when=asyncio.FIRST_COMPLETED)
                changed.cancel()
        finally:
            self._pages -= 1
            gone.cancel()


def _is_ours(page: WebSocket) -> bool:
    """Whether a page of this server, under a name that it has, or of an origin that Streamlit allows, asks.

    Programs send no origin.
    """
    origin, host = page.headers.get("origin"), page.headers.get("host")
    is_own = origin is None or origin.partition("://")[2] == host or is_url_from_allowed_origins(origin)
    return is_own and is_host_allowed(host)


async def _closed(page: WebSocket) -> None:
    while (await page.receive())["type"] != "websocket.disconnect":
        pass
