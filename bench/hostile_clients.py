"""Hostile clients of API and dashboard: crowds that hold connections, send garbage, or all ask at once."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Final

from streamlit.proto.BackMsg_pb2 import BackMsg

from tests.support.running_suite import RunningSuite

__all__ = ["ATTACKS", "Attack", "page_is_served"]

_PATIENCE_S: Final = 30.0
_SLOW_REQUEST: Final = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: "
_SLOW_BODY: Final = b"POST /moedas HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100000\r\n\r\nx"
_GARBAGE: Final = b"\x16\x03\x01" + bytes(range(256)) + b"\r\n\r\n"
_UPGRADE: Final = (
    b"GET /_stcore/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
_BINARY_MASKED: Final = (0x82, 0x80)
_LARGEST_FRAME: Final = 125
_GARBAGE_BYTES: Final = 100

Client = Callable[[int, ExitStack], None]
"""Comes to a port, and stays until the stack ends."""


@dataclass(frozen=True)
class Attack:
    """A crowd of `count` clients of one server, which the suite calls `victim`."""

    what: str
    victim: str
    count: int
    client: Client

    @property
    def name(self) -> str:
        """Server, number and kind of clients."""
        return f"{self.victim}: {self.count} {self.what}"

    @contextmanager
    def on(self, suite: RunningSuite) -> Iterator[None]:
        """All clients come one after another and stay."""
        port = suite.api_port if self.victim == "api" else suite.dashboard_port
        with ExitStack() as stack:
            for _ in range(self.count):
                self.client(port, stack)
            yield


def page_is_served(port: int) -> bool:
    """Whether the dashboard at `port` answers a new visitor with its page."""
    request = b"GET / HTTP/1.0\r\nHost: 127.0.0.1\r\nAccept: text/html\r\n\r\n"
    with ExitStack() as stack:
        return b" 200 " in _connect(port, stack, request).recv(32)


def _connect(port: int, stack: ExitStack, sent: bytes) -> socket.socket:
    connection = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE_S))
    connection.sendall(sent)
    return connection


def _holding(sent: bytes) -> Client:
    """A client that sends the start of something and then waits."""

    def client(port: int, stack: ExitStack) -> None:
        _connect(port, stack, sent)

    return client


def _tab(message: Callable[[], bytes]) -> Client:
    """A client that opens a socket of the dashboard, sends one message, and reads no more than the first line."""

    def client(port: int, stack: ExitStack) -> None:
        connection = _connect(port, stack, _UPGRADE)
        if b" 101 " in connection.recv(32):
            connection.sendall(_frame(message()))

    return client


def _frame(payload: bytes) -> bytes:
    """A masked binary frame of WebSocket; the mask is zero, which leaves the payload as it is."""
    assert len(payload) <= _LARGEST_FRAME
    first, masked = _BINARY_MASKED
    return bytes([first, masked | len(payload)]) + bytes(4) + payload


def _opened_page() -> bytes:
    message = BackMsg()
    message.rerun_script.query_string = "pagina=moeda&moeda=bitcoin"
    return bytes(message.SerializeToString())


def _garbage() -> bytes:
    return os.urandom(_GARBAGE_BYTES)


ATTACKS: Final = (
    Attack("slow requests", "api", 200, _holding(_SLOW_REQUEST)),
    Attack("slow bodies", "api", 200, _holding(_SLOW_BODY)),
    Attack("times garbage", "api", 200, _holding(_GARBAGE)),
    Attack("slow requests", "dashboard", 200, _holding(_SLOW_REQUEST)),
    Attack("sockets that say nothing", "dashboard", 300, _tab(bytes)),
    Attack("sockets of garbage", "dashboard", 300, _tab(_garbage)),
    Attack("tabs at once", "dashboard", 50, _tab(_opened_page)),
)
