"""A real Streamlit, started by the suite on an address that is open to the network."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator

import pytest
import requests
from pydantic import SecretStr
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from core.settings import PROJECT, Settings
from suite import children
from suite.supervisor import ChildSpec
from tests.support.ports import reserve_port

NAME = "painel.exemplo.com"
PATIENCE_S = 60.0


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


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_nobody_can_upload(served: str, method: str) -> None:
    """Streamlit's endpoint for uploads is not there, for this site's visitors and for forged requests alike."""
    with requests.Session() as visitor:
        token = visitor.get(f"{served}/_stcore/health", timeout=PATIENCE_S).cookies["_streamlit_xsrf"]
        address = f"{served}/_stcore/upload_file/sessao/arquivo"
        own = visitor.request(method, address, headers={"X-Xsrftoken": token}, timeout=PATIENCE_S)
    forged = requests.request(method, address, timeout=PATIENCE_S)
    assert [own.status_code, forged.status_code] == [404, 404]


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
    }
    assert wanted - set(shown) == set()


def _start(spec: ChildSpec, output: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(spec.argv, cwd=PROJECT, env=spec.environment, stdout=output, stderr=output)


def _answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/_stcore/health", timeout=1).ok
    except requests.RequestException:
        return False


def _connect(url: str, name: str) -> ClientConnection:
    """Open the page's WebSocket on this machine with the given host name."""
    port = int(url.rpartition(":")[2])
    tcp = socket.create_connection(("127.0.0.1", port))
    return connect(f"ws://{name}:{port}/_stcore/stream", sock=tcp, subprotocols=[Subprotocol("streamlit")])
