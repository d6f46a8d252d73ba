"""Access rules: token, remote callers, host names, rates, headers, bodies, errors."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr

from api.problems import ProblemAnswer
from core import access_tokens
from core.host_names import host_name, is_local
from tests.support.workspace import SampleWorkspace

ClientFactory = Callable[..., TestClient]
TOKEN = "um-segredo-bem-guardado"
DATA = (
    "/status",
    "/moedas",
    "/prever/btc",
    "/probabilidade/btc?nivel=68000",
    "/risco?carteira=btc:1,eth:2",
    "/previsoes/btc",
    "/historico/btc",
    "/metricas",
    "/metricas/btc",
)
OPEN = ("/saude", "/saude/vivo", "/docs", "/redoc", "/openapi.json", "/llms.txt", "/estatico/swagger.js")


@pytest.fixture
def guarded(filled: SampleWorkspace, make_client: ClientFactory) -> TestClient:
    """A client without the token, of an API that requires one."""
    return make_client(filled.settings.model_copy(update={"api_token": SecretStr(TOKEN)}))


@pytest.mark.parametrize("address", DATA)
@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", f"Bearer {TOKEN}x", f"Basic {TOKEN}", TOKEN, "Bearer é"]
)
def test_data_require_the_token(guarded: TestClient, address: str, header: str | None) -> None:
    """Without the exact token every data route answers 401 and explains how to send it."""
    headers = {} if header is None else {b"Authorization": header.encode()}
    answer = guarded.get(address, headers=headers)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert "CRYPTO_API_TOKEN" in answer.json()["detail"]
    assert TOKEN not in answer.text


@pytest.mark.parametrize("address", DATA)
def test_the_token_gives_access(guarded: TestClient, address: str) -> None:
    """With the token every data route answers."""
    assert guarded.get(address, headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ([f"bearer {TOKEN}"], 200),
        ([f"Bearer  {TOKEN} "], 200),
        (["Bearer x", f"Bearer {TOKEN}"], 200),
        ([f"Bearer {TOKEN}", "Bearer x"], 401),
    ],
)
def test_the_token_is_judged_in_one_way(guarded: TestClient, lines: list[str], status: int) -> None:
    """What gives access also makes the answer private and gives it an ETag; of several lines the last counts."""
    for _ in range(2):
        answer = guarded.get("/moedas", headers=[("Authorization", line) for line in lines])
        kept = ("etag" in answer.headers, answer.headers["cache-control"].startswith("private"))
        assert (answer.status_code, *kept) == (status, status == 200, status == 200)


@pytest.mark.parametrize("address", OPEN)
def test_documentation_and_health_are_open(guarded: TestClient, address: str) -> None:
    """They have no data, and explain how to send the token."""
    assert guarded.get(address).status_code == 200


def test_a_token_is_changed_without_a_restart(
    filled: SampleWorkspace, make_client: ClientFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Data and kept answers follow the file: once it holds another token, the old one opens nothing."""
    monkeypatch.setattr(access_tokens, "_LOOK_EVERY_S", 0.0)
    file = tmp_path / "token"
    file.write_text(TOKEN)
    client = make_client(filled.settings.model_copy(update={"api_token_file": file}))
    headers = [{"Authorization": f"Bearer {token}"} for token in (TOKEN, f"{TOKEN}-novo")]
    assert [client.get("/moedas", headers=each).status_code for each in headers] == [200, 401]
    file.write_text(f"{TOKEN}-novo\n")
    assert [client.get("/moedas", headers=each).status_code for each in headers] == [401, 200]


def test_every_data_route_documents_the_token(guarded: TestClient) -> None:
    """Every operation except /saude has the token in the OpenAPI description."""
    paths = guarded.get("/openapi.json").json()["paths"]
    assert {path for path, item in paths.items() if "security" not in item["get"]} == {
        "/saude",
        "/saude/vivo",
        "/saude/pronto",
    }


def test_remote_callers_need_a_configured_token(
    filled: SampleWorkspace, make_client: ClientFactory, guarded: TestClient
) -> None:
    """Without a configured token the API answers only this machine, whatever it is bound to."""
    far = make_client(filled.settings, caller="192.168.1.7")
    for address in (*DATA, *OPEN):
        assert far.get(address).status_code == 403
    settings = filled.settings.model_copy(update={"api_token": SecretStr(TOKEN)})
    allowed = make_client(settings, caller="192.168.1.7")
    assert allowed.get("/moedas", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8000", 200),
        ("localhost", 200),
        ("LOCALHOST:1234", 200),
        ("[::1]:8000", 200),
        ("painel.exemplo.com", 200),
        ("evil.example", 400),
        ("localhost.evil.example", 400),
        ("127.0.0.1.nip.io", 400),
        ("10.0.0.9", 400),
        ("localhost@evil.example", 400),
        ("", 400),
        ("[", 400),
    ],
)
def test_an_unknown_host_name_is_refused(
    filled: SampleWorkspace, make_client: ClientFactory, host: str, status: int
) -> None:
    """A page that rebinds its own name to 127.0.0.1 gets no data."""
    client = make_client(filled.settings.model_copy(update={"allowed_hosts": ("painel.exemplo.com",)}))
    assert client.get("/moedas", headers={"Host": host}).status_code == status


def test_a_client_above_the_rate_must_wait(filled: SampleWorkspace, make_client: ClientFactory) -> None:
    """Above the configured rate 429 has a Retry-After; only health and documentation pages still answer."""
    client = make_client(filled.settings.model_copy(update={"api_rate_limit": 5}))
    assert [client.get("/moedas").status_code for _ in range(6)] == [200] * 5 + [429]
    answer = client.get("/openapi.json")
    assert 1 <= int(answer.headers["retry-after"]) <= 12
    for address in ("/saude", "/docs", "/estatico/swagger.js"):
        answer = client.get(address)
        assert answer.status_code == 200
        assert "ratelimit" not in answer.headers


def test_the_limit_is_told_before_it_is_reached(filled: SampleWorkspace, make_client: ClientFactory) -> None:
    """RateLimit-Policy says the quota, RateLimit what remains, on refusals too; an unlimited client gets neither."""
    client = make_client(filled.settings.model_copy(update={"api_rate_limit": 2}))
    answers = [client.get("/moedas"), client.get("/nada"), client.get("/moedas")]
    assert [answer.status_code for answer in answers] == [200, 404, 429]
    assert {answer.headers["ratelimit-policy"] for answer in answers} == {'"default";q=2;w=60'}
    assert [answer.headers["ratelimit"].split(";t=")[0] for answer in answers] == [
        '"default";r=1',
        '"default";r=0',
        '"default";r=0',
    ]
    assert "ratelimit" not in make_client(filled.settings).get("/moedas").headers


def test_every_answer_has_a_request_id(client: TestClient) -> None:
    """A well-formed id of the client comes back, anything else is replaced; refusals have one too."""
    own = {"X-Request-Id": "trace-7.a:b_1"}
    assert client.get("/moedas", headers=own).headers["x-request-id"] == "trace-7.a:b_1"
    assert client.get("/moedas", headers={**own, "Host": "evil.example"}).headers["x-request-id"] == "trace-7.a:b_1"
    for malformed in ("", "a b", "x" * 65, "<script>"):
        made = client.get("/moedas", headers={"X-Request-Id": malformed}).headers["x-request-id"]
        assert re.fullmatch(r"[0-9a-f]{16}", made)


def test_this_machine_is_not_limited_unless_configured(client: TestClient) -> None:
    """Local requests have no rate limit by default."""
    assert {client.get("/saude").status_code for _ in range(300)} == {200}
    assert {client.get("/nada").status_code for _ in range(300)} == {404}


def test_a_remote_client_is_limited_by_default(filled: SampleWorkspace, make_client: ClientFactory) -> None:
    """Guessing tokens is slow: 120 tries at once, then two per second."""
    client = make_client(filled.settings.model_copy(update={"api_token": SecretStr(TOKEN)}), caller="192.168.1.7")
    began = time.monotonic()
    statuses: list[int] = []
    while 429 not in statuses:
        guess = {"Authorization": f"Bearer {len(statuses):04}"}
        statuses.append(client.get("/moedas", headers=guess).status_code)
        assert len(statuses) <= 122 + 2 * (time.monotonic() - began)
    assert statuses[:120] == [401] * 120


@pytest.mark.parametrize(
    ("address", "local"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("::ffff:10.0.0.1", False),
        ("fe80::1%eth0", False),
        ("0.0.0.0", False),  # noqa: S104 - compared with, not bound to
        ("localhost", False),
        ("", False),
    ],
)
def test_only_loopback_is_this_machine(address: str, local: bool) -> None:
    """Only loopback addresses are local, also IPv4 written as IPv6."""
    assert is_local(address) is local


def test_a_host_header_is_parsed() -> None:
    """The port is dropped; malformed headers give None."""
    assert host_name("Exemplo.com:80") == "exemplo.com"
    assert host_name("[2001:DB8::1]:443") == "2001:db8::1"
    assert [host_name(text) for text in ("a b", "a:b", "[::1", "a:123456", "é")] == [None] * 5


def test_every_answer_has_security_headers(client: TestClient) -> None:
    """Data may not be framed, sniffed or run; the documentation pages load only from the API."""
    for address in ("/moedas", "/prever/nada", "/docs", "/nada"):
        headers = client.get(address).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"
        assert "default-src 'none'" in headers["content-security-policy"]
    assert "script-src" not in client.get("/moedas").headers["content-security-policy"]
    assert "script-src 'self';" in client.get("/docs").headers["content-security-policy"]


def test_a_refused_page_can_read_the_refusal(filled: SampleWorkspace, make_client: ClientFactory) -> None:
    """An allowed origin sees 400, 413, 404 and 429 with Retry-After; its preflights are not counted."""
    allowed = "https://painel.exemplo.com"
    update = {"cors_origins": (allowed,), "api_rate_limit": 2}
    client = make_client(filled.settings.model_copy(update=update))
    origin = {"Origin": allowed}
    preflight = {**origin, "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "Authorization"}
    assert {client.options("/moedas", headers=preflight).status_code for _ in range(5)} == {200}
    answers = [
        client.get("/moedas", headers={**origin, "Host": "evil.example"}),
        client.get("/moedas", headers={**origin, "Content-Length": "100000"}),
        client.get("/nada", headers=origin),
        client.get("/moedas", headers=origin),
        client.get("/moedas", headers=origin),
    ]
    assert [answer.status_code for answer in answers] == [400, 413, 404, 200, 429]
    assert {answer.headers["access-control-allow-origin"] for answer in answers} == {allowed}
    assert "Retry-After" in answers[-1].headers["access-control-expose-headers"]


def test_other_origins_need_configuration(
    client: TestClient, filled: SampleWorkspace, make_client: ClientFactory
) -> None:
    """By default no origin is reflected; a configured one may read, without credentials."""
    origin = {"Origin": "https://painel.exemplo.com"}
    assert "access-control-allow-origin" not in client.get("/moedas", headers=origin).headers
    opened = make_client(filled.settings.model_copy(update={"cors_origins": ("https://painel.exemplo.com",)}))
    headers = opened.get("/moedas", headers=origin).headers
    assert headers["access-control-allow-origin"] == "https://painel.exemplo.com"
    assert "access-control-allow-credentials" not in headers
    assert (
        "access-control-allow-origin" not in opened.get("/moedas", headers={"Origin": "https://evil.example"}).headers
    )


def test_no_route_writes(client: TestClient) -> None:
    """Every route can only be read, so a token needs no scope."""
    routes = client.get("/openapi.json").json()["paths"].values()
    assert {method for route in routes for method in route} <= {"get", "head"}
    assert [client.request(method, "/moedas").status_code for method in ("POST", "PUT", "PATCH", "DELETE")] == [405] * 4


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("address", ["/moedas", "/saude", "/nada"])
@pytest.mark.parametrize(
    "headers", [{"Content-Length": "4097"}, {"Content-Length": "9" * 20}, {"Transfer-Encoding": "chunked"}]
)
def test_a_body_is_refused(client: TestClient, method: str, address: str, headers: dict[str, str]) -> None:
    """A large body, or one of unknown size, is refused without reading it."""
    answer = client.request(method, address, headers=headers)
    assert (answer.status_code, answer.json()["codigo"]) == (413, "body_too_large")


def test_all_refusals_have_one_shape(filled: SampleWorkspace, make_client: ClientFactory) -> None:
    """Every refusal is a problem document with the source and the security headers, and must not be stored."""
    update = {"api_token": SecretStr(TOKEN), "api_rate_limit": 6}
    client = make_client(filled.settings.model_copy(update=update))
    told = {"Authorization": f"Bearer {TOKEN}"}
    answers = [
        client.get("/moedas"),
        client.get("/moedas", headers={"Host": "evil.example"}),
        client.get("/moedas", headers={"Content-Length": "100000"}),
        client.get("/prever/nada", headers=told),
        client.post("/moedas", headers=told),
        client.get("/historico/btc?limite=x", headers=told),
        client.get("/nada"),
        client.get("/estatico/nada"),
    ]
    answers += [client.get("/moedas", headers=told) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [401, 400, 413, 404, 405, 422, 404, 404, 200, 429]
    for answer in (answer for answer in answers if answer.is_error):
        assert ProblemAnswer.model_validate_json(answer.content).status == answer.status_code
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["x-fonte"] == "demo"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-frame-options"] == "DENY"


def test_without_a_source_x_fonte_is_undefined(sample: SampleWorkspace, make_client: ClientFactory) -> None:
    """Before the source is decided, data are 503 and X-Fonte is `indefinida`."""
    (sample.settings.run_dir / "source.json").unlink()
    answer = make_client(sample.settings).get("/moedas")
    assert (answer.status_code, answer.headers["x-fonte"]) == (503, "indefinida")


def test_an_unexpected_error_reveals_no_details(
    sample: SampleWorkspace, make_client: ClientFactory, caplog: pytest.LogCaptureFixture
) -> None:
    """The answer is 500 with one sentence; the cause is in the log."""
    sample.fill()
    client = make_client(sample.settings, raise_server_exceptions=False)
    client.app.state.settings = None  # type: ignore[attr-defined]  # break the inside
    with caplog.at_level(logging.ERROR):
        answer = client.get("/status", headers={"X-Request-Id": "trace-7"})
    assert (answer.headers["x-fonte"], answer.headers["x-frame-options"]) == ("demo", "DENY")
    assert (answer.status_code, answer.json()["codigo"]) == (500, "internal_error")
    assert "Attribute" not in answer.text
    assert "AttributeError" in caplog.text
    assert [record.request_id for record in caplog.records if hasattr(record, "request_id")] == ["trace-7"]


def test_damaged_data_are_503_with_retry_after(sample: SampleWorkspace, make_client: ClientFactory) -> None:
    """The answer names the problem and when to try again, without the folder's path."""
    sample.fill()
    client = make_client(sample.settings)
    manifest = sample.workspace.processed / "manifest.json"
    manifest.write_bytes(b"{")
    sample.workspace.database.write_bytes(b"\x00" * 8192)
    for address in ("/moedas", "/metricas"):
        answer = client.get(address)
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0
        assert "danificado" in answer.json()["detail"]
        assert str(sample.workspace.root) not in answer.text
    assert client.get("/status").json()["status"] == "aguardando_dados"
