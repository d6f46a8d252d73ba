"""What the dashboard's server refuses, and what it says to a visitor for whom there is no place."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from dashboard.shell.admission import Admission

STREAM = "/_stcore/stream"
PAGE = {"accept": "text/html", "accept-language": "pt-BR"}


async def _page(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("the page")


async def _session(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text("welcome")
    await socket.receive()


@pytest.fixture
def server() -> TestClient:
    """A server with room for two sessions."""
    routes = [
        Route("/", _page),
        Route("/_stcore/{anything:path}", _page, methods=["GET", "POST", "PUT"]),
        WebSocketRoute(STREAM, _session),
    ]
    return TestClient(Starlette(routes=routes, middleware=[Middleware(Admission, most=2)]))


def test_a_third_session_is_refused_until_one_ends(server: TestClient) -> None:
    """With room for two the third is told to try again; when one has left, the next gets its place."""
    with server:
        with server.websocket_connect(STREAM) as first, server.websocket_connect(STREAM) as second:
            assert {first.receive_text(), second.receive_text()} == {"welcome"}
            with pytest.raises(WebSocketDisconnect) as refused, server.websocket_connect(STREAM):
                pass
            assert refused.value.code == 1013
        with server.websocket_connect(STREAM) as later:
            assert later.receive_text() == "welcome"


@pytest.mark.parametrize(("path", "sentence"), [("/", "O painel está cheio"), ("/?idioma=en", "The dashboard is full")])
def test_a_visitor_of_a_full_dashboard_reads_why(server: TestClient, path: str, sentence: str) -> None:
    """The page is 503 with one sentence in the reader's language and a time to come back; others get their answers."""
    with server:
        assert server.get(path, headers=PAGE).text == "the page"
        with server.websocket_connect(STREAM) as first, server.websocket_connect(STREAM) as second:
            first.receive_text(), second.receive_text()
            full = server.get(path, headers=PAGE)
            assert (full.status_code, full.headers["retry-after"]) == (503, "30")
            assert sentence in full.text
            assert server.get(path, headers={"accept": "*/*"}).text == "the page"


CLOSED = ("upload_file/1/2", "metrics", "agent/interact", "agent/mcp", "bidi-components/x/y", "healthy", "health/x", "")


@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_of_streamlit_s_core_only_what_pages_ask_for_is_open(server: TestClient, method: str) -> None:
    """Nothing in the dashboard takes a file or serves agents, so none of it answers, nor what a release may add."""
    for name in ("health", "host-config"):
        assert server.request(method, f"/_stcore/{name}").text == "the page"
    for name in CLOSED:
        assert server.request(method, f"/_stcore/{name}").status_code == 404


def test_every_answer_has_its_headers(server: TestClient) -> None:
    """No address goes to other sites, and no type is guessed."""
    for answer in (server.get("/"), server.get("/_stcore/metrics")):
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["x-content-type-options"] == "nosniff"
