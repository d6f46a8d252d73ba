"""A real Streamlit, started by the suite on an address that is open to the network."""

from __future__ import annotations

import re
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, nullcontext
from unittest.mock import Mock

import pytest
import requests
from pydantic import SecretStr
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.web.server.starlette.starlette_app import create_streamlit_routes
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from core.settings import PROJECT, Settings
from suite import children
from suite.supervisor import ChildSpec
from tests.support.ports import reserve_port

NAME = "painel.exemplo.com"
PATIENCE_S = 60.0
SESSIONS = 100
METHODS = ("GET", "POST", "PUT", "DELETE")
XSRF = "_streamlit_xsrf"


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of a suite on an open address with one allowed host name."""
    folder = tmp_path_factory.mktemp("opened")
    return Settings(
        _env_file=None,  # type: ignore[call-arg]  # pydantic's own argument
        host="0.0.0.0",  # noqa: S104 - this is what is tested
        api_token=SecretStr("um-segredo-bem-guardado"),
        allowed_hosts=(NAME,),
        data_dir=folder / "data",
        models_dir=folder / "models",
        dashboard_port=reserve_port(),
    )


@pytest.fixture(scope="module")
def served(opened: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of the running dashboard."""
    url = f"http://127.0.0.1:{opened.dashboard_port}"
    log = tmp_path_factory.mktemp("log") / "dashboard.log"
    with log.open("wb") as output:
        process = _start(children.dashboard(opened), output.fileno())
    deadline = time.monotonic() + PATIENCE_S
    while not _answers(url):
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)
    yield url
    process.terminate()
    process.wait(20)


def test_an_allowed_host_name_is_served(served: str) -> None:
    """The allowed name gets a session, without usage statistics or developer menus."""
    with _connect(served, NAME) as line:
        asked = BackMsg()
        asked.rerun_script.query_string = ""
        line.send(asked.SerializeToString())
        answer = ForwardMsg()
        received = line.recv(timeout=PATIENCE_S)
        assert isinstance(received, bytes)
        answer.ParseFromString(received)
    config = answer.new_session.config
    assert answer.WhichOneof("type") == "new_session"
    assert config.gather_usage_stats is False
    assert config.toolbar_mode == config.VIEWER


@pytest.mark.parametrize("name", ["evil.example", f"{NAME}.evil.example", "10.0.0.9"])
def test_another_host_name_is_refused(served: str, name: str) -> None:
    """A request with another host name gets no session."""
    with pytest.raises(InvalidStatus, match="403"), _connect(served, name):
        pass


def test_of_what_streamlit_offers_only_what_pages_need_is_open(served: str) -> None:
    """Each route of the installed Streamlit is asked: uploads, figures, agents, logins and components are closed."""
    paths = {re.sub(r"{[^}]+}", "x", str(getattr(route, "path", ""))) for route in create_streamlit_routes(Mock())}
    opened = set()
    with requests.Session() as visitor:
        visitor.headers["X-Xsrftoken"] = visitor.get(f"{served}/_stcore/health", timeout=PATIENCE_S).cookies[XSRF]
        for path in paths:
            answers = [visitor.request(method, f"{served}{path}", timeout=PATIENCE_S) for method in METHODS]
            if {(answer.status_code, answer.text) for answer in answers} != {(404, "not found")}:
                opened.add(path)
    assert opened == {"", "/_stcore/health", "/_stcore/host-config", "/media/x"}
    assert "/_stcore/upload_file/x/x" in paths


def test_every_answer_says_what_a_page_may_do(served: str) -> None:
    """Three headers come with the page, with what does not exist, and with the page that says that it is full."""
    with requests.Session() as visitor, ExitStack() as sessions:
        visitor.headers["Accept"] = "text/html"
        answers = [visitor.get(served + path, timeout=PATIENCE_S) for path in ("/", "/_stcore/metrics")]
        for _ in range(SESSIONS):
            sessions.enter_context(_connect(served, NAME))
        answers.append(visitor.get(served, timeout=PATIENCE_S))
    assert [answer.status_code for answer in answers] == [200, 404, 503]
    for answer in answers:
        policy = dict(part.split(" ", 1) for part in answer.headers["Content-Security-Policy"].split("; "))
        assert policy["frame-ancestors"] == policy["default-src"] == policy["base-uri"] == "'self'"
        assert (policy["object-src"], policy["form-action"]) == ("'none'", "'self'")
        assert "unsafe" not in policy["script-src"]
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("size", [2_000_000, 12_000_000])
def test_a_message_larger_than_a_page_sends_ends_its_session(served: str, size: int) -> None:
    """The server keeps no more of a message than it allows, and serves the next visitor."""
    with _connect(served, NAME) as line, pytest.raises(ConnectionClosed) as closed:
        _say(line, bytes(size))
    assert closed.value.rcvd is None or closed.value.rcvd.code == 1009
    with _connect(served, NAME) as line:
        assert line.protocol.extensions == []  # nothing is compressed, so nothing grows when it is read


def test_a_visitor_cannot_stop_the_server(served: str) -> None:
    """Streamlit's message for developers that ends the server ends nothing here."""
    with _connect(served, NAME) as line:
        line.send(BackMsg(debug_shutdown_runtime=True).SerializeToString())
        line.send(BackMsg(debug_disconnect_websocket=True).SerializeToString())
        line.send(BackMsg(rerun_script=ClientState()).SerializeToString())
        assert line.recv(timeout=PATIENCE_S)


@pytest.mark.parametrize("name", [NAME, "evil.example"])
def test_news_of_changes_go_to_known_names_alone(served: str, name: str) -> None:
    """A page that points its own name at this machine hears of no change either (DNS rebinding)."""
    with nullcontext() if name == NAME else pytest.raises(InvalidStatus, match="403"):
        origin = Origin(f"http://{name}:{served.rpartition(':')[2]}")
        with _connect(served, name, "/changes", origin) as line:
            assert "stamp" in str(line.recv(timeout=PATIENCE_S))


def test_errors_are_shown_without_details(opened: Settings) -> None:
    """With this command line and folder Streamlit is configured to hide error details."""
    argv = children.dashboard(opened).argv
    flags = argv[argv.index("--server.address") :]
    command = (*argv[: argv.index("run")], "config", "show", *flags)
    shown = subprocess.run(
        command, cwd=PROJECT, env=children.dashboard(opened).environment, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    wanted = {
        'showErrorDetails = "none"',
        "enableXsrfProtection = true",
        "gatherUsageStats = false",
        'fileWatcherType = "none"',
        "enableStaticServing = false",
        "enableWebsocketCompression = false",
        "enableAgentApi = false",
        "maxMessageSize = 10",
    }
    assert wanted - {line.removeprefix("# ") for line in shown} == set()  # what is the default comes as a comment


def _start(spec: ChildSpec, output: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(spec.argv, cwd=PROJECT, env=spec.environment, stdout=output, stderr=output)


def _answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/_stcore/health", timeout=1).ok
    except requests.RequestException:
        return False


def _say(line: ClientConnection, message: bytes) -> None:
    """Send a message and hear what comes back until the line ends."""
    line.send(message)
    while True:
        line.recv(timeout=PATIENCE_S)


def _connect(url: str, name: str, path: str = "/_stcore/stream", origin: Origin | None = None) -> ClientConnection:
    """Open a WebSocket of the page on this machine with the given host name."""
    port = int(url.rpartition(":")[2])
    tcp = socket.create_connection(("127.0.0.1", port))
    protocols = [Subprotocol("streamlit")] if path.startswith("/_stcore") else None
    return connect(f"ws://{name}:{port}{path}", sock=tcp, subprotocols=protocols, origin=origin)
