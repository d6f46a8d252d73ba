"""Compressed scripts."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

from dashboard.shell.compression import CompressedFiles

SCRIPT = "const answer = 42;\n" * 1000


def test_small_scripts_are_kept_as_they_are() -> None:
    """What compression would not shorten is read once, too, and sent plain."""
    asked: list[str] = []

    async def answer(request: Request) -> Response:
        asked.append(request.url.path)
        return PlainTextResponse("export {};", media_type="text/javascript")

    app = Starlette(routes=[Route("/{path:path}", answer)], middleware=[Middleware(CompressedFiles)])
    with TestClient(app) as browser:
        got = [browser.get("/static/js/a.js", headers={"Accept-Encoding": "gzip"}) for _ in range(2)]
    assert [(answer.text, "Content-Encoding" in answer.headers) for answer in got] == [("export {};", False)] * 2
    assert asked == ["/static/js/a.js"]


def test_scripts_are_compressed_once() -> None:
    """A browser that accepts it gets a script compressed; the server reads the file once; all else stays as it is."""
    asked: list[str] = []

    async def answer(request: Request) -> Response:
        asked.append(request.url.path)
        kind = "text/html" if request.url.path.endswith("unknown.js") else "text/javascript"
        return PlainTextResponse(SCRIPT, media_type=kind, headers={"ETag": "1"})

    app = Starlette(routes=[Route("/{path:path}", answer)], middleware=[Middleware(CompressedFiles)])
    with TestClient(app) as browser:
        for _ in range(2):
            got = browser.get("/static/js/a.js", headers={"Accept-Encoding": "gzip", "If-None-Match": "1"})
            assert got.text == SCRIPT
            assert got.headers["Content-Encoding"] == "gzip"
            assert got.headers["Vary"] == "Accept-Encoding"
        assert asked == ["/static/js/a.js"]
        for path, accepted in (("/static/js/a.js", "identity"), ("/data.json", "gzip"), ("/static/unknown.js", "gzip")):
            plain = browser.get(path, headers={"Accept-Encoding": accepted})
            assert "Content-Encoding" not in plain.headers


def test_what_is_kept_stays_as_it_was_read() -> None:
    """A header that one answer got on its way is not in the next one."""

    async def answer(_: Request) -> Response:
        return PlainTextResponse(SCRIPT, media_type="text/javascript")

    files = CompressedFiles(Starlette(routes=[Route("/{path:path}", answer)]))
    visitors = iter(("first", "second", "third"))

    async def naming(scope: Scope, receive: Receive, send: Send) -> None:
        visitor = next(visitors)

        async def send_named(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[visitor] = "yes"
            await send(message)

        await files(scope, receive, send_named)

    browser = TestClient(naming)
    got = [browser.get("/static/js/a.js", headers={"Accept-Encoding": "gzip"}).headers for _ in range(3)]
    assert [{"first", "second", "third"} & headers.keys() for headers in got] == [{"first"}, {"second"}, {"third"}]
