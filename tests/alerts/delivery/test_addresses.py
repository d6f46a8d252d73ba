"""The rule about addresses: what counts as internal, and when it is looked at."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest

from alerts.delivery.addresses import InternalAddressError, is_internal, open_connection
from tests.support.alert_receivers import http_receiver

INTERNAL = (
    "127.0.0.1",
    "127.255.0.9",
    "0.0.0.0",  # noqa: S104 - an address to refuse
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "169.254.169.254",
    "224.0.0.1",
    "239.1.1.1",
    "240.0.0.1",
    "255.255.255.255",
    "192.0.2.1",
    "198.18.0.1",
    "::",
    "::1",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "fd12:3456::1",
    "ff02::1",
    "2001:db8::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "::127.0.0.1",
    "2002:7f00:1::",
    "64:ff9b::7f00:1",
    "64:ff9b::a00:1",
    "localhost",
    "",
)
PUBLIC = (
    "1.1.1.1",
    "93.184.216.34",
    "2606:4700::1111",
    "::ffff:1.1.1.1",
    "64:ff9b::101:101",
    "2002:101:101::",
)


@pytest.mark.parametrize("address", INTERNAL)
def test_internal_addresses(address: str) -> None:
    """Whatever is not a public unicast address is internal, however it is written."""
    assert is_internal(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses(address: str) -> None:
    """Public addresses are not, inside IPv6 either."""
    assert not is_internal(address)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "0"])
def test_names_of_this_machine_are_refused(host: str) -> None:
    """A receiver listens here, but no way to write its address leads there without permission."""
    with http_receiver() as receiver:
        with pytest.raises(InternalAddressError):
            open_connection(host, receiver.port, 5, allow_internal=False)
        assert receiver.requests == []


def test_permission_opens_the_internal_network() -> None:
    """A channel with `permitir_rede_interna = true` may send to this machine."""
    with http_receiver() as receiver:
        open_connection("localhost", receiver.port, 5, allow_internal=True).close()


def test_a_name_that_points_elsewhere_later_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The name is resolved once, and the connection goes to the address that was checked (DNS rebinding)."""
    answers = ["1.1.1.1", "127.0.0.1"]
    connected: list[object] = []

    def resolve(_host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (answers.pop(0), port))]

    def connect(_self: socket.socket, address: object) -> None:
        connected.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(socket.socket, "connect", connect)
    with pytest.raises(ConnectionRefusedError):
        open_connection("rebinding.example", 80, 5, allow_internal=False)
    assert connected == [("1.1.1.1", 80)]
    assert answers == ["127.0.0.1"]


def test_of_several_addresses_only_the_public_ones_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name with an internal and a public address leads to the public one alone."""
    connected: list[object] = []

    def resolve(_host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (found, port)) for found in ("10.0.0.1", "1.1.1.1")]

    def connect(_self: socket.socket, address: object) -> None:
        connected.append(address)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(socket.socket, "connect", connect)
    open_connection("two.example", 80, 5, allow_internal=False).close()
    assert connected == [("1.1.1.1", 80)]


GUARDED = """
import http.client, smtplib, socket, sys
from alerts.delivery.addresses import guard_connections
refused = []
guard_connections(lambda: refused.append(1))
port = int(sys.argv[1])
for attempt in (
    lambda: http.client.HTTPConnection("localhost", port).request("GET", "/"),
    lambda: smtplib.SMTP("127.0.0.1", port),
    lambda: socket.socket().connect(("localhost", port)),
    lambda: socket.socket().connect_ex(("127.0.0.1", port)),
    lambda: socket.socket(socket.AF_INET6).connect(("::ffff:127.0.0.1", port)),
    lambda: socket.socket(type=socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", port)),
    lambda: socket.socket(socket.AF_UNIX).connect("/var/run/docker.sock"),
):
    try:
        attempt()
    except OSError as error:
        print(type(error).__name__)
print(len(refused) >= 7)
"""


def test_a_guarded_process_reaches_no_internal_address() -> None:
    """In the process that sends with Apprise no library gets through, by TCP, UDP, name or socket file."""
    with http_receiver() as receiver:
        done = subprocess.run(
            [sys.executable, "-c", GUARDED, str(receiver.port)], capture_output=True, text=True, timeout=60, check=True
        )
        assert done.stdout.split() == ["InternalAddressError"] * 7 + ["True"]
        assert receiver.requests == []
