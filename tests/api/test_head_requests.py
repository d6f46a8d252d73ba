"""HEAD is answered wherever GET is, with the same headers and no body."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from fastapi.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

from api.head_requests import HeadRequests

CHANGING = {"date", "x-request-id"}


@pytest.mark.parametrize(
    "address",
    [
        "/saude",
        "/moedas",
        "/prever/btc",
        "/historico/btc?formato=csv",
        "/prever/nada",
        "/nada",
        "/docs",
        "/openapi.json",
    ],
)
def test_head_has_the_headers_of_get(client: TestClient, address: str) -> None:
    """Status and headers are those of GET, the body is empty."""
    head, get = client.head(address), client.get(address)
    assert (head.status_code, head.content) == (get.status_code, b"")
    assert {**head.headers, **dict.fromkeys(CHANGING)} == {**get.headers, **dict.fromkeys(CHANGING)}


def test_an_endless_answer_ends_after_its_headers() -> None:
    """A stream that never ends is cancelled at its first part."""

    async def endless(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while True:
            await send({"type": "http.response.body", "body": b"x", "more_body": True})

    sent: list[Message] = []

    async def keep(message: Message) -> None:
        sent.append(message)

    async def nothing() -> Any:
        return {"type": "http.disconnect"}

    asyncio.run(asyncio.wait_for(HeadRequests(endless)({"type": "http", "method": "HEAD"}, nothing, keep), 5))
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    assert sent[1]["body"] == b""


def test_a_version_in_the_path_is_an_alias(client: TestClient) -> None:
    """/v1 before a path gives the same answer, also for refusals; the document lists each path once."""
    for address in ("/saude", "/moedas", "/prever/btc", "/prever/nada", "/historico/btc?limite=0", "/nada"):
        assert client.get(f"/v1{address}").content == client.get(address).content
    assert not [path for path in client.get("/v1/openapi.json").json()["paths"] if path.startswith("/v1")]
    assert client.get("/v1").status_code == 404
