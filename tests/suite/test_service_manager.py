"""What the suite tells systemd, received by a socket like systemd's."""

from __future__ import annotations

import logging
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from suite.service_manager import ServiceManager

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sockets of POSIX")

Manager = tuple[str, socket.socket]


@pytest.fixture(params=["notify", "user@1000", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    """The name of a socket as systemd gives it, and the socket."""
    name = f"@crypto-{tmp_path}"[:100] if request.param == "abstract" else str(tmp_path / request.param)
    if request.param == "abstract" and sys.platform != "linux":
        pytest.skip("only Linux has them")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.bind(f"\0{name[1:]}" if request.param == "abstract" else name)
        line.settimeout(10)
        yield name, line


def test_states_arrive_in_order(manager: Manager) -> None:
    """Ready, alive and stopping are sent as systemd expects them."""
    name, line = manager
    service = ServiceManager({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "60000000"})
    service.ready()
    for _ in range(50):
        service.alive()
    service.stopping()
    assert [line.recv(100) for _ in range(3)] == [b"READY=1", b"WATCHDOG=1", b"STOPPING=1"]


def test_signs_of_life_come_three_times_as_often_as_they_must(manager: Manager) -> None:
    """A watchdog of 0.3 seconds hears of the loop every tenth of a second at the latest, while the loop turns."""
    name, line = manager
    service = ServiceManager({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "300000"})
    began, heard = time.monotonic(), 0
    while heard < 4:
        service.alive()
        line.setblocking(False)
        try:
            heard += line.recv(100) == b"WATCHDOG=1"
        except BlockingIOError:
            time.sleep(0.001)
    assert time.monotonic() - began >= 3 * 0.1


@pytest.mark.parametrize("variables", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "", "WATCHDOG_USEC": "x"}])
def test_without_a_service_manager_nothing_is_said(variables: dict[str, str], caplog: pytest.LogCaptureFixture) -> None:
    """Started by a person, the suite speaks to nobody."""
    service = ServiceManager(variables)
    service.ready()
    service.alive()
    service.stopping()
    assert caplog.records == []


def test_a_socket_that_is_gone_is_named_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The suite runs on, and its log says why the service manager will be dissatisfied."""
    caplog.set_level(logging.WARNING)
    service = ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "gone"), "WATCHDOG_USEC": "0"})
    for _ in range(3):
        service.alive()
    (record,) = caplog.records
    assert "cannot tell the service manager WATCHDOG=1" in record.getMessage()
