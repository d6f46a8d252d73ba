"""News of changed data, as an open page hears it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from core.times import now_ms
from dashboard.shell.change_feed import ChangeFeed

HERE = {"host": "127.0.0.1"}


class Data:
    """Something that pages show; `state` names its state, and reading it can fail."""

    def __init__(self) -> None:
        self.state = "first"
        self.looks = 0
        self.fails = False

    def stamp(self) -> str:
        """Name the state."""
        self.looks += 1
        if self.fails:
            raise OSError("disk gone")
        return self.state


def client(data: Data, host: str = "127.0.0.1") -> TestClient:
    """A server with the feed of `data`."""
    feed = ChangeFeed(data.stamp)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        watch = asyncio.create_task(feed.watch())
        yield
        watch.cancel()

    return TestClient(Starlette(routes=[feed.route()], lifespan=lifespan), base_url=f"http://{host}")


def test_a_page_hears_each_change_once() -> None:
    """A page hears the state and the server's time at once, and then only changes, also after a failed look."""
    data = Data()
    with client(data) as server, server.websocket_connect("/changes", headers=HERE) as page:
        news = page.receive_json()
        assert news["stamp"] == "first"
        assert abs(news["now"] - now_ms()) < 60_000
        data.fails = True
        while data.looks < 3:
            pass
        data.fails, data.state = False, "second"
        assert page.receive_json()["stamp"] == "second"


def test_nobody_looks_without_pages() -> None:
    """Without an open page the data are not read."""
    data = Data()
    with client(data) as server:
        with server.websocket_connect("/changes", headers=HERE) as page:
            page.receive_json()
        looks = data.looks
        with server.websocket_connect("/changes", headers=HERE) as page:
            page.receive_json()
        assert data.looks <= looks + 2


def test_pages_of_other_servers_are_refused() -> None:
    """A page of another origin cannot listen; one of this server can."""
    with client(Data()) as server:
        own = {"origin": "http://127.0.0.1", **HERE}
        with server.websocket_connect("/changes", headers=own) as page:
            assert page.receive_json()
        other = {"origin": "http://evil.example", **HERE}
        with pytest.raises(WebSocketDisconnect), server.websocket_connect("/changes", headers=other):
            pass
