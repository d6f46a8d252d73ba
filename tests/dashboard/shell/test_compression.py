"""Compressed scripts."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

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
