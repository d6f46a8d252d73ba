"""The HTML that a browser gets first."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from dashboard.shell.page_frame import PageFrame

PAGE = '<!DOCTYPE html><html lang="en">\n<head><title>ü</title></head></html>'


def html(_request: object) -> Response:
    """The page as Streamlit sends it."""
    return HTMLResponse(PAGE, headers={"ETag": "file"})


def text(_request: object) -> Response:
    """Something else."""
    return PlainTextResponse("<head>", headers={"ETag": "file"})


@pytest.fixture
def server() -> TestClient:
    """A server whose answers pass the middleware."""
    routes = [Route("/", html), Route("/text", text)]
    return TestClient(Starlette(routes=routes, middleware=[Middleware(PageFrame)]))


@pytest.mark.parametrize(
    ("address", "accepted", "language"),
    [("/", "pt-BR,pt;q=0.9", "pt-BR"), ("/", "de", "en"), ("/", "", "pt-BR"), ("/?idioma=en", "pt", "en")],
)
def test_the_page_names_its_language(server: TestClient, address: str, accepted: str, language: str) -> None:
    """Address first, then what the browser prefers; the length is right and no tag of the file is left."""
    answer = server.get(address, headers={"Accept": "text/html", "Accept-Language": accepted})
    assert f'<html lang="{language}">' in answer.text
    assert 'rel="modulepreload"' in answer.text
    assert "<title>ü</title>" in answer.text
    assert int(answer.headers["Content-Length"]) == len(answer.content)
    assert "ETag" not in answer.headers


def test_other_answers_pass_through(server: TestClient) -> None:
    """What is no page, or is asked for by no browser, stays as it is."""
    assert server.get("/text", headers={"Accept": "text/html"}).text == "<head>"
    assert server.get("/", headers={"Accept": "*/*"}).text == PAGE
