"""One line of the log for each request, if it is wished for."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr

from api import request_record
from tests.support.workspace import SampleWorkspace

ClientFactory = Callable[..., TestClient]
TOKEN = "um-segredo-bem-guardado"


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Callable[[], list[dict[str, Any]]]:
    """Gives the records of requests so far."""
    caplog.set_level(logging.INFO, request_record.__name__)
    return lambda: [vars(record) for record in caplog.records if record.name == request_record.__name__]


def test_each_request_has_one_line(
    filled: SampleWorkspace, make_client: ClientFactory, lines: Callable[[], list[dict[str, Any]]]
) -> None:
    """Refused or answered, it has route, status, size, time and the id that the client got."""
    client = make_client(filled.settings.model_copy(update={"access_log": True}))
    answers = [
        client.get("/prever/btc", headers={"X-Request-Id": "trace-7"}),
        client.get("/v1/prever/nada"),
        client.get("/moedas", headers={"Host": "evil.example"}),
    ]
    found = lines()
    assert [line["request_id"] for line in found] == [answer.headers["x-request-id"] for answer in answers]
    assert [line["status"] for line in found] == [200, 404, 400]
    assert [line["route"] for line in found] == ["/prever/{moeda}", "/prever/{moeda}", "/moedas"]
    assert [line["path"] for line in found] == ["/prever/btc", "/v1/prever/nada", "/moedas"]
    assert found[1]["bytes"] == len(answers[1].content)
    assert all(0 < line["seconds"] < 60 and line["client"] == "127.0.0.1" for line in found)


def test_lines_hold_no_query_no_token_and_no_line_break(
    filled: SampleWorkspace, make_client: ClientFactory, lines: Callable[[], list[dict[str, Any]]]
) -> None:
    """A portfolio in the query and the token stay out; a path cannot forge a line, nor be endless."""
    settings = filled.settings.model_copy(update={"access_log": True, "api_token": SecretStr(TOKEN)})
    client = make_client(settings)
    client.get("/risco?carteira=btc:7.25", headers={"Authorization": f"Bearer {TOKEN}"})
    client.get("/nada%0aERROR%20forged" + "x" * 5000)
    text = str(lines())
    assert "7.25" not in text
    assert TOKEN not in text
    assert "\\nERROR" not in text
    assert max(len(line["message"]) for line in lines()) < 300


def test_by_default_there_is_none(client: TestClient, lines: Callable[[], list[dict[str, Any]]]) -> None:
    """The console of run_all.py stays quiet."""
    client.get("/moedas")
    assert lines() == []
