"""The server around the page: where it listens, its heartbeat, its stop."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

import dashboard
from core.processes.health_schema import DASHBOARD, ProcessState
from core.processes.heartbeat import read_health
from core.settings import PROJECT
from tests.support.workspace import SampleWorkspace

ROOM = Path(dashboard.__file__).parent


def test_started_from_another_folder(running: SampleWorkspace, serve: Callable[..., Any]) -> None:
    """It serves on loopback with the project's configuration, says who may frame it, beats, and stops on SIGTERM."""
    running.stop("dashboard")
    server = serve(running.settings.model_copy(update={"embed_origins": ("https://blog.example",)}))
    assert "<title>" in requests.get(server.url, timeout=5).text
    answer = requests.get(f"{server.url}/?embed=1&moeda=bitcoin", timeout=5)
    assert answer.url == f"{server.url}/?embed=true&moeda=bitcoin"
    assert answer.headers["Content-Security-Policy"].endswith("; frame-ancestors 'self' https://blog.example")
    listening = [c.laddr for c in psutil.Process(server.process.pid).net_connections("inet") if c.status == "LISTEN"]
    assert [(address.ip, address.port) for address in listening] == [("127.0.0.1", server.port)]
    assert "usage statistics" not in server.log.read_text()
    health = read_health(running.settings.run_dir, DASHBOARD)
    assert (health.alive, health.pid, health.state) == (True, server.process.pid, ProcessState.SERVING)
    server.close()
    assert read_health(running.settings.run_dir, DASHBOARD).state is ProcessState.STOPPED
    assert "Traceback" not in server.log.read_text()


def test_unknown_host_names_are_refused(
    make_workspace: Callable[..., SampleWorkspace], serve: Callable[..., Any]
) -> None:
    """A page of another site that points its own name at this machine gets no data (DNS rebinding)."""
    server = serve(make_workspace().settings)
    with _connect(server.port, "localhost"):
        pass
    with pytest.raises(InvalidStatus, match="403"), _connect(server.port, "evil.example"):
        pass


def _connect(port: int, name: str) -> ClientConnection:
    """The page's websocket to this machine, under another host name."""
    tcp = socket.create_connection(("127.0.0.1", port))
    return connect(f"ws://{name}:{port}/_stcore/stream", sock=tcp, subprotocols=[Subprotocol("streamlit")])


def test_both_places_streamlit_looks_have_the_same_configuration() -> None:
    """The dashboard has the same configuration, whether started in the project's folder or in another."""
    assert (PROJECT / ".streamlit" / "config.toml").read_bytes() == (ROOM / ".streamlit" / "config.toml").read_bytes()
