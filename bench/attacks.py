"""`python -m bench attacks`: what hostile clients of API and dashboard cost the others.

A whole suite runs with a simulated market. While each attack goes on, /prever/bitcoin is asked again and again; the
yardstick of its 99th percentile is that of the same suite left alone. Takes about two minutes.
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import psutil
from streamlit.proto.BackMsg_pb2 import BackMsg

from bench.figures import Figure, table
from bench.suite import percentile_99, watched_suite
from tests.support.running_suite import RunningSuite

__all__ = ["main"]

_PATH: Final = "/prever/bitcoin"
_MOST_TIMES_IDLE: Final = 10.0
_PAUSE_S: Final = 0.01
_PATIENCE_S: Final = 30.0
_SLOW_REQUEST: Final = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: "
_SLOW_BODY: Final = b"POST /moedas HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100000\r\n\r\nx"
_UPGRADE: Final = (
    b"GET /_stcore/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
_BINARY_MASKED: Final = (0x82, 0x80)
_LARGEST_FRAME: Final = 125
_GARBAGE_BYTES: Final = 100

Attack = Callable[[int, ExitStack], None]


def _connect(port: int, stack: ExitStack, sent: bytes) -> socket.socket:
    connection = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE_S))
    connection.sendall(sent)
    return connection


def _held(count: int, sent: bytes) -> Attack:
    """`count` connections that send the start of something and then wait."""

    def attack(port: int, stack: ExitStack) -> None:
        for _ in range(count):
            _connect(port, stack, sent)

    return attack


def _tabs(count: int, messages: Callable[[], bytes]) -> Attack:
    """`count` sockets of the dashboard that each send one message; none reads more than the first line."""

    def attack(port: int, stack: ExitStack) -> None:
        admitted = 0
        for _ in range(count):
            connection = _connect(port, stack, _UPGRADE)
            if b" 101 " in connection.recv(32):
                admitted += 1
                connection.sendall(_frame(messages()))
        print(f"  {admitted} of {count} sockets admitted", file=sys.stderr)

    return attack


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


_ATTACKS: Final[tuple[tuple[str, str, Attack], ...]] = (
    ("API: 200 slow requests", "api", _held(200, _SLOW_REQUEST)),
    ("API: 200 slow bodies", "api", _held(200, _SLOW_BODY)),
    ("API: 200 times garbage", "api", _held(200, b"\x16\x03\x01" + bytes(range(256)) + b"\r\n\r\n")),
    ("dashboard: 200 slow requests", "dashboard", _held(200, _SLOW_REQUEST)),
    ("dashboard: 300 sockets that say nothing", "dashboard", _tabs(300, bytes)),
    ("dashboard: 300 sockets of garbage", "dashboard", _tabs(300, _garbage)),
    ("dashboard: 50 tabs at once", "dashboard", _tabs(50, _opened_page)),
)


def _p99_ms(suite: RunningSuite, requests: int) -> float:
    times = []
    for _ in range(requests):
        asked = time.perf_counter()
        assert suite.get(_PATH) is not None, f"{_PATH} was not answered"
        times.append(1000 * (time.perf_counter() - asked))
        time.sleep(_PAUSE_S)
    return percentile_99(times)


def _processor_s(suite: RunningSuite, victim: str) -> float:
    pid = suite.children()[victim].pid
    assert pid is not None
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


@contextmanager
def _under(attack: Attack, port: int) -> Iterator[None]:
    with ExitStack() as stack:
        attack(port, stack)
        yield


def _recovery_s(suite: RunningSuite) -> float:
    """Seconds until the dashboard answers a new visitor with its page."""
    began = time.monotonic()
    while not _page_is_served(suite.dashboard_port):
        assert time.monotonic() - began < _PATIENCE_S, "the dashboard does not recover"
        time.sleep(_PAUSE_S)
    return time.monotonic() - began


def _page_is_served(port: int) -> bool:
    request = b"GET / HTTP/1.0\r\nHost: 127.0.0.1\r\nAccept: text/html\r\n\r\n"
    with ExitStack() as stack:
        return b" 200 " in _connect(port, stack, request).recv(32)


def _figures(suite: RunningSuite, requests: int) -> Iterator[Figure]:
    before = {name: child.pid for name, child in suite.children().items()}
    _p99_ms(suite, requests)
    idle = _p99_ms(suite, requests)
    yield Figure("/prever p99, left alone", idle, "ms")
    for name, victim, attack in _ATTACKS:
        used_s = _processor_s(suite, victim)
        with _under(attack, suite.api_port if victim == "api" else suite.dashboard_port):
            p99 = _p99_ms(suite, requests)
        used_s = _processor_s(suite, victim) - used_s
        yield Figure(f"processor time, {name}", used_s, "CPU-s")
        yield Figure(f"/prever p99, {name}", p99, "ms", _MOST_TIMES_IDLE, "left alone", idle)
        if victim == "dashboard":
            yield Figure(f"page again after {name}", _recovery_s(suite), "s", _PATIENCE_S)
    after = {name: child.pid for name, child in suite.children().items()}
    yield Figure("processes restarted", float(sum(after[name] != pid for name, pid in before.items())), "", 0.0)


def main(arguments: Sequence[str] | None = None) -> int:
    """Attack and print; 1 if a limit was passed."""
    parser = argparse.ArgumentParser(prog="python -m bench attacks", description=__doc__)
    parser.add_argument("--requests", type=int, default=300, help="requests of /prever per attack (default: 300)")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder, watched_suite(Path(folder), 3, 30.0, 1, tabs=0) as watch:
        figures = list(_figures(watch.suite, given.requests))
    print(table(figures))
    return 1 if any(figure.met is False for figure in figures) else 0
