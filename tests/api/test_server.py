"""Slow clients and floods of connections: others are still served, and timeouts close them."""

from __future__ import annotations

import http.client
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import psutil
import pytest
import requests
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api import timed_connection
from core.settings import PROJECT
from tests.support.ports import reserve_port
from tests.support.workspace import SampleWorkspace

Serve = Callable[..., str]
SLOW = 200
LARGE = 10_000_000
TIMEOUT_S = 20.0


class Connections:
    """Opens connections and closes them at the end of the test."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack

    def connect(self, address: str, host: str = "127.0.0.1", sent: bytes = b"", buffer: int = 0) -> socket.socket:
        """Connect, perhaps with a small receive buffer, and send something."""
        line = self._stack.enter_context(socket.socket())
        if buffer:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        line.settimeout(TIMEOUT_S)
        line.connect((host, int(address.rpartition(":")[2])))
        line.sendall(sent)
        return line


@pytest.fixture
def connections() -> Iterator[Connections]:
    """Opens connections."""
    with ExitStack() as stack:
        yield Connections(stack)


def _is_cut(line: socket.socket) -> bool:
    """Whether the server ends the connection without an answer."""
    try:
        return line.recv(1000) == b""
    except ConnectionResetError:
        return True


def test_slow_clients_do_not_block_others(serve: Serve, connections: Connections) -> None:
    """While 200 clients do not finish their headers, others are answered at once."""
    address = serve()
    slow = [connections.connect(address, sent=b"GET /moedas HTTP/1.1\r\nHost: local") for _ in range(SLOW)]
    for path in ("/saude", "/status", "/moedas", "/prever/btc", "/historico/btc"):
        assert requests.get(address + path, timeout=5).status_code == 200
    slow[0].sendall(b"host\r\n\r\n")
    assert slow[0].recv(1000).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("sent", [b"", b"GET /moedas HTTP/1.1\r\nHost: local"])
def test_a_connection_without_a_request_is_closed(
    serve: Serve, connections: Connections, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    """A connection without a whole request is closed after the request timeout."""
    monkeypatch.setattr(timed_connection, "REQUEST_TIMEOUT_S", 0.5)
    address = serve()
    slow = [connections.connect(address, sent=sent) for _ in range(SLOW)]
    assert all(_is_cut(line) for line in slow)


@pytest.mark.parametrize("after", ["", "GET /saude HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4000\r\n\r\n"])
def test_single_bytes_do_not_extend_the_timeout(
    serve: Serve, connections: Connections, monkeypatch: pytest.MonkeyPatch, after: str
) -> None:
    """The request timeout runs from the connection or the last answer, not from the last byte."""
    monkeypatch.setattr(timed_connection, "REQUEST_TIMEOUT_S", 1.0)
    line = connections.connect(serve(), sent=after.encode())
    with pytest.raises((ConnectionResetError, BrokenPipeError)):
        _send_byte_by_byte(line)


def _send_byte_by_byte(line: socket.socket) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        line.sendall(b"x")
        time.sleep(0.1)


def test_a_connection_is_kept_between_requests(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pause longer than a request may take does no harm after an answer."""
    monkeypatch.setattr(timed_connection, "REQUEST_TIMEOUT_S", 0.3)
    line = http.client.HTTPConnection(serve(timeout_keep_alive=10).removeprefix("http://"), timeout=5)
    line.connect()
    first = line.sock
    for _ in range(3):
        line.request("GET", "/saude")
        assert line.getresponse().read()
        time.sleep(0.5)
    assert line.sock is first
    line.close()


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("OPTIONS", "*", 404),
        ("GET", "*", 404),
        ("GET", "saude", 404),
        ("GET", "http://localhost/saude", 200),
        ("GET", "HTTP://localhost:8000/v1/historico/btc?limite=1", 200),
        ("GET", "http://localhost", 200),
        ("GET", "http://evil.example/saude", 400),
    ],
)
def test_a_target_need_not_be_a_path(
    filled: SampleWorkspace, serve: Serve, method: str, target: str, status: int
) -> None:
    """RFC 9112 knows other targets: a whole address is served, and its host checked; `*` is refused in words."""
    address = serve(filled.settings.model_copy(update={"api_rate_limit": 600}))
    with closing(http.client.HTTPConnection(address.removeprefix("http://"), timeout=TIMEOUT_S)) as line:
        line.request(method, target)
        answer = line.getresponse()
        assert (answer.status, answer.headers["x-fonte"]) == (status, "demo")


def test_an_idle_connection_ends(serve: Serve, connections: Connections, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody keeps a connection for ever."""
    monkeypatch.setattr(timed_connection, "KEEP_ALIVE_S", 0.3)
    line = connections.connect(serve(), sent=b"GET /saude HTTP/1.1\r\nHost: localhost\r\n\r\n")
    with line.makefile("rb") as stream:
        assert stream.read().startswith(b"HTTP/1.1 200")


def test_idle_connections_make_room_where_many_are_open(
    serve: Serve, connections: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With more than half of the connections in use, an idle one ends sooner than otherwise."""
    monkeypatch.setattr(timed_connection, "_CROWDED_KEEP_ALIVE_S", 0.3)
    address = serve(http=timed_connection.connections_up_to(3))
    lines = [connections.connect(address, sent=b"GET /saude HTTP/1.1\r\nHost: localhost\r\n\r\n") for _ in range(2)]
    with lines[1].makefile("rb") as stream:
        assert stream.read().startswith(b"HTTP/1.1 200")


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such limit")
def test_the_limit_of_open_files_is_raised_and_never_lowered() -> None:
    """In a process that may open few files, as many as wanted are allowed, up to the system's own limit."""
    program = (
        "import resource; from api.open_files import allow_open_files; "
        "resource.setrlimit(resource.RLIMIT_NOFILE, (256, 1024)); "
        "print(*map(allow_open_files, (512, 100, 4096)), resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["512", "512", "1024", "1024"]


def test_a_slow_honest_download_ends_whole(
    serve: Serve, connections: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that goes on taking bytes gets all of them, also long after both time limits."""
    monkeypatch.setattr(timed_connection, "REQUEST_TIMEOUT_S", 0.3)
    monkeypatch.setattr(timed_connection, "PROGRESS_TIMEOUT_S", 0.6)

    async def whole(_request: Request) -> Response:
        return Response(bytes(3_000_000))

    address = serve(application=Starlette(routes=[Route("/", whole)]))
    request = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    line = connections.connect(address, sent=request, buffer=16_384)
    began, received = time.monotonic(), 0
    while part := line.recv(50_000):
        received += len(part)
        time.sleep(len(part) / 1_000_000)
    assert received > 3_000_000
    assert time.monotonic() - began > 2 * 0.6


def test_a_client_that_does_not_read_is_cut_off(
    serve: Serve, connections: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A large answer is dropped if the client does not read it within the response timeout."""
    monkeypatch.setattr(timed_connection, "REQUEST_TIMEOUT_S", 0.5)
    monkeypatch.setattr(timed_connection, "PROGRESS_TIMEOUT_S", 0.5)

    async def large(_request: Request) -> Response:
        return Response(bytes(LARGE))

    address = serve(application=Starlette(routes=[Route("/", large)]))
    line = connections.connect(address, sent=b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", buffer=4096)
    time.sleep(2)
    received = 0
    with suppress(ConnectionResetError):
        while part := line.recv(65536):
            received += len(part)
    assert 0 < received < LARGE


def test_malformed_http_gets_the_usual_error_body(serve: Serve, connections: Connections) -> None:
    """The answer is 400 with a problem document."""
    line = connections.connect(serve(), sent=b"\x00\x01\r\n\r\n")
    with line.makefile("rb") as stream:
        head, _, body = stream.read().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400")
    assert json.loads(body)["codigo"] == "malformed_request"


@pytest.mark.parametrize(
    "header",
    [
        b"Content-Length: 0\r\nContent-Length: 35",
        b"Content-Length: 0\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: chunked, identity",
        b"Content-Length : 0",
        b"Content-Length: +0",
    ],
)
def test_a_request_that_can_be_read_in_two_ways_is_refused(
    serve: Serve, connections: Connections, header: bytes
) -> None:
    """It gets one refusal, and what follows it on the connection is no request (smuggling past a proxy)."""
    host = b"Host: 127.0.0.1\r\n"
    hidden = b"0\r\n\r\nGET /saude HTTP/1.1\r\n" + host + b"\r\n"
    line = connections.connect(serve(), sent=b"POST /saude HTTP/1.1\r\n" + host + header + b"\r\n\r\n" + hidden)
    with line.makefile("rb") as stream:
        answers = stream.read().split(b"HTTP/1.1 ")[1:]
    assert len(answers) == 1
    assert answers[0].startswith((b"400", b"413"))


def test_a_head_without_an_end_is_refused(serve: Serve, connections: Connections) -> None:
    """After 16 kB without an empty line the server waits for no more."""
    line = connections.connect(serve(), sent=b"GET /saude HTTP/1.1\r\nX-Long: " + b"x" * 20_000)
    with line.makefile("rb") as stream:
        assert stream.readline().startswith(b"HTTP/1.1 400")


@pytest.fixture
def own_address() -> str:
    """An address of this machine that is not loopback."""
    for address in (address for addresses in psutil.net_if_addrs().values() for address in addresses):
        if address.family is socket.AF_INET and not address.address.startswith("127."):
            return address.address
    pytest.skip("this machine has no address but loopback")


def test_only_a_proxy_of_this_machine_is_believed(filled: SampleWorkspace, serve: Serve, own_address: str) -> None:
    """A caller from elsewhere cannot pass for one of this machine by a header."""
    address = serve(filled.settings, host="0.0.0.0").replace("127.0.0.1", own_address)  # noqa: S104 - as elsewhere
    headers = {"Host": "127.0.0.1", "X-Forwarded-For": "127.0.0.1"}
    assert requests.get(f"{address}/moedas", headers=headers, timeout=5).status_code == 403
    assert requests.get(f"{address}/saude", headers=headers, timeout=5).status_code == 403


def test_a_remote_client_has_at_most_64_connections(
    filled: SampleWorkspace, serve: Serve, connections: Connections, own_address: str
) -> None:
    """The 65th is closed at once; this machine's own connections are not limited."""
    settings = filled.settings.model_copy(update={"api_token": SecretStr("um-segredo-bem-guardado")})
    address = serve(settings, host="0.0.0.0")  # noqa: S104 - to be reached from elsewhere
    head = f"GET /saude HTTP/1.1\r\nHost: {own_address}\r\n".encode()
    lines = [connections.connect(address, own_address, sent=head) for _ in range(64)]
    assert _is_cut(connections.connect(address, own_address))
    lines[-1].sendall(b"\r\n")
    assert lines[-1].recv(1000).startswith(b"HTTP/1.1 200")
    assert requests.get(f"{address}/saude", timeout=5).status_code == 200


@pytest.fixture
def many_files() -> Iterator[None]:
    """Lets this process open two thousand files."""
    resource = pytest.importorskip("resource", reason="the limit on open files is set as POSIX systems do")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 2000:
        pytest.skip("this process may not open two thousand files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2000), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_more_connections_than_open_files_do_no_harm(
    filled: SampleWorkspace, many_files: None, connections: Connections, tmp_path: Path
) -> None:
    """With 600 slow clients and a limit of 512 files, others are answered and the log stays clean."""
    port, log = reserve_port(), tmp_path / "api.log"
    environment = {**os.environ, **filled.settings.environment(), "CRYPTO_SOURCE": "auto", "CRYPTO_API_PORT": str(port)}
    server = f"ulimit -n 512; exec {shlex.quote(sys.executable)} -m api.server"
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["/bin/sh", "-c", server], cwd=PROJECT, env=environment, stdout=output, stderr=output
        )
    try:
        address = f"http://127.0.0.1:{port}"
        _until_answered(address)
        for _ in range(600):
            connections.connect(address, sent=b"GET /moedas HT")
        for path in ("/saude", "/moedas", "/prever/btc"):
            _until_answered(address + path)
    finally:
        process.terminate()
        assert process.wait(TIMEOUT_S) == -signal.SIGTERM
    assert "Traceback" not in log.read_text()


def _until_answered(address: str) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        try:
            assert requests.get(address, timeout=5).status_code == 200
        except requests.ConnectionError:
            assert time.monotonic() < deadline
            time.sleep(0.2)
        else:
            return
