"""Real nginx and Caddy with the shipped configurations, before the API and before a WebSocket like the dashboard's."""

from __future__ import annotations

import logging
import os
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
import urllib3
from pydantic import SecretStr
from websockets.sync.client import connect
from websockets.sync.server import ServerConnection, serve

from api import request_record
from core.settings import PROJECT
from tests.support.nginx import NGINX, listening, on_ports, running_nginx
from tests.support.ports import reserve_port
from tests.support.served_api import served_api
from tests.support.workspace import SampleWorkspace

OPS: Final = PROJECT / "ops"
API, DASHBOARD = "api.example.com", "painel.example.com"
TOKEN = "um-segredo-bem-guardado"
PATIENCE_S = 60.0
PROGRAMS: Final[dict[str, Any]] = {
    "nginx": NGINX,
    "caddy": shutil.which("caddy"),
}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(None in PROGRAMS.values(), reason="needs Debian's packages nginx and caddy"),
]


@dataclass(frozen=True)
class Proxy:
    """A running proxy: its ports, and the certificate that it shows."""

    name: str
    http_port: int
    https_port: int
    certificate: Path

    def get(self, path: str, *, token: str = TOKEN, **options: Any) -> urllib3.BaseHTTPResponse:
        """Ask the API through the proxy, checking its certificate."""
        pool = urllib3.HTTPSConnectionPool(
            "127.0.0.1",
            self.https_port,
            ca_certs=str(self.certificate),
            server_hostname=API,
            assert_hostname=API,
            timeout=PATIENCE_S,
            retries=False,
        )
        headers = {"Host": f"{API}:{self.https_port}", "Authorization": f"Bearer {token}", **options.pop("headers", {})}
        return pool.request(options.pop("method", "GET"), path, headers=headers, **options)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of both names, its key beside it."""
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    names = f"subjectAltName=DNS:{API},DNS:{DASHBOARD}"
    words = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    words += ["-subj", f"/CN={API}", "-addext", names, "-out", str(path), "-keyout", str(path.with_suffix(".key"))]
    subprocess.run(["openssl", "req", *words], check=True, capture_output=True)
    return path


@pytest.fixture(scope="module")
def api_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The API over a filled workspace, as it runs behind a proxy."""
    port = reserve_port()
    sample = SampleWorkspace.make(tmp_path_factory.mktemp("filled")).fill()
    extra = {"api_token": SecretStr(TOKEN), "allowed_hosts": (API, DASHBOARD), "access_log": True}
    with served_api(sample.settings.model_copy(update=extra), port):
        yield port


@pytest.fixture(scope="module")
def dashboard_port() -> Iterator[int]:
    """A WebSocket that answers with the host and the origin that it was asked by."""

    def answer(line: ServerConnection) -> None:
        assert line.request is not None
        headers = line.request.headers
        line.send(f"{headers['Host']} {headers['Origin']} {headers['X-Forwarded-For']}")

    port = reserve_port()
    with serve(answer, "127.0.0.1", port) as server:
        threading.Thread(target=server.serve_forever).start()
        yield port
        server.shutdown()


@pytest.fixture(scope="module", params=["nginx", "caddy"])
def proxy(
    request: pytest.FixtureRequest, certificate: Path, api_port: int, dashboard_port: int, tmp_path_factory: Any
) -> Iterator[Proxy]:
    """A proxy with the shipped configuration on other ports."""
    started = Proxy(request.param, reserve_port(), reserve_port(), certificate)
    folder = tmp_path_factory.mktemp(started.name)
    config = OPS / ("nginx/crypto-forecasting.conf" if started.name == "nginx" else "caddy/Caddyfile")
    text = config.read_text(encoding="utf-8")
    text = text.replace("127.0.0.1:8000", f"127.0.0.1:{api_port}").replace(
        "127.0.0.1:8501", f"127.0.0.1:{dashboard_port}"
    )
    with ExitStack() as stack:
        stack.enter_context(_nginx(started, folder, text) if started.name == "nginx" else _caddy(started, folder, text))
        yield started


@contextmanager
def _nginx(proxy: Proxy, folder: Path, text: str) -> Iterator[None]:
    """Run nginx with the configuration inside the smallest possible one."""
    text = on_ports(text, {80: proxy.http_port, 443: proxy.https_port})
    text = re.sub(r"/etc/letsencrypt\S+fullchain\.pem", str(proxy.certificate), text)
    text = re.sub(r"/etc/letsencrypt\S+privkey\.pem", str(proxy.certificate.with_suffix(".key")), text)
    with running_nginx(folder, text, proxy.https_port):
        yield


@contextmanager
def _caddy(proxy: Proxy, folder: Path, text: str) -> Iterator[None]:
    """Run Caddy with ports and certificate of the test, and nothing outside the folder; the UDP port is a claim."""
    options = f"{{\n\tadmin off\n\thttp_port {proxy.http_port}\n\thttps_port {proxy.https_port}\n"
    text = re.sub(r"^\{\n", options, text, count=1, flags=re.M)
    text = text.replace("servers {\n", "servers {\n\t\tprotocols h1 h2\n")
    tls = f"(guarded) {{\n\ttls {proxy.certificate} {proxy.certificate.with_suffix('.key')}\n"
    config = folder / "Caddyfile"
    config.write_text(text.replace("(guarded) {\n", tls), encoding="utf-8")
    home = {**os.environ, "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    command = [PROGRAMS["caddy"], "run", "--adapter", "caddyfile", "--config", str(config)]
    kill = subprocess.Popen.kill  # on SIGTERM it would wait for streams
    with listening(command, proxy.https_port, kill, env=home):
        yield


def test_caddy_accepts_the_file_as_it_is_shipped() -> None:
    """The file that people copy is valid and in Caddy's own format."""
    config = OPS / "caddy" / "Caddyfile"
    subprocess.run(["caddy", "validate", "--adapter", "caddyfile", "--config", config], check=True, capture_output=True)
    assert subprocess.run(["caddy", "fmt", config], check=True, capture_output=True).stdout == config.read_bytes()


def test_data_come_over_tls_and_with_the_token_alone(proxy: Proxy) -> None:
    """The API answers through the proxy; browsers are told to stay with TLS; plain HTTP is sent there."""
    answer = proxy.get("/prever/btc")
    assert answer.status == 200
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert proxy.get("/prever/btc", token="outro").status == 401
    plain = urllib3.request(
        "GET",
        f"http://127.0.0.1:{proxy.http_port}/moedas",
        headers={"Host": API},
        redirect=False,
        retries=False,
    )
    assert plain.status == 308
    assert plain.headers["Location"].startswith(f"https://{API}")


@pytest.mark.parametrize("path", ["/metrics", "/v1/metrics", "/metrics?x=1", "//metrics"])
def test_metrics_are_not_to_be_had(proxy: Proxy, path: str) -> None:
    """From outside there are none, however the path is written."""
    assert proxy.get(path).status in (400, 403, 404)


def test_a_client_cannot_choose_its_address(proxy: Proxy, caplog: pytest.LogCaptureFixture) -> None:
    """The API counts requests by the address that the proxy saw, not by what the client wrote."""
    caplog.set_level(logging.INFO, request_record.__name__)
    assert proxy.get("/moedas", headers={"X-Forwarded-For": "203.0.113.9"}).status == 200
    deadline = time.monotonic() + PATIENCE_S
    while not (lines := [record for record in caplog.records if record.name == request_record.__name__]):
        assert time.monotonic() < deadline  # the line is written once the answer has been sent
        time.sleep(0.01)
    assert {vars(line)["client"] for line in lines} == {"127.0.0.1"}


def test_events_come_at_once(proxy: Proxy) -> None:
    """The first event of the stream is not held back."""
    answer = proxy.get("/eventos?moedas=btc", preload_content=False)
    assert answer.status == 200
    assert next(answer.stream(16))
    answer.close()


def test_the_page_of_the_dashboard_gets_its_socket(proxy: Proxy) -> None:
    """The WebSocket is passed on with the host that the browser asked for, which must equal its origin."""
    context = ssl.create_default_context(cafile=str(proxy.certificate))
    tcp = socket.create_connection(("127.0.0.1", proxy.https_port))
    address = f"{DASHBOARD}:{proxy.https_port}"
    options: dict[str, Any] = {"sock": tcp, "ssl": context, "origin": f"https://{address}"}
    with connect(f"wss://{address}/_stcore/stream", **options) as line:
        assert line.recv(timeout=PATIENCE_S) == f"{address} https://{address} 127.0.0.1"


def test_nginx_stops_large_bodies_and_floods(proxy: Proxy) -> None:
    """What no route takes does not reach one, and beyond its rate a client gets 429; with Caddy the API says so."""
    if proxy.name == "nginx":
        assert proxy.get("/moedas", method="POST", body=b"x" * 5000).status == 413
        statuses = [proxy.get("/saude").status for _ in range(150)]
        assert set(statuses) == {200, 429}
