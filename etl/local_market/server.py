"""The local market server on its socket: HTTP/1.1 on loopback, a log of requests, faults of content and of transport.

Beside CoinGecko's paths under /api/v3 there are, for tests and for the status page: `GET /replay` (what is played),
`GET /_requests` (what was asked), `GET /_faults` and `POST /_faults` (see etl.local_market.faults for the JSON).
"""

from __future__ import annotations

import gzip
import hashlib
import json
import logging
import os
import socket
import struct
import sys
import threading
from collections import deque
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, NamedTuple, Self
from urllib.parse import parse_qsl, unquote, urlsplit

from core.errors import BadInput
from core.times import now_ms as wall_clock_ms
from etl.local_market.api import Asked, MarketApi
from etl.local_market.fault_content import replace_answer, spoil_content
from etl.local_market.faults import TRANSPORT_KINDS, Fault, FaultPlan
from etl.local_market.market import Market, Renamed
from etl.local_market.pages import Query, Shifts
from etl.local_market.plans import Doorkeeper
from etl.local_market.replies import Reply, html_page, refuse

__all__ = ["Answered", "MarketServer"]

_PREFIX: Final = "/api/v3"
_LONGEST_URL: Final = 8_000
_LARGEST_PLAN: Final = 1_000_000
_REQUESTS_KEPT: Final = 20_000
_GZIP_FROM: Final = 1_000
_OWN_NAMES: Final = ("127.0.0.1", "localhost")
_RESET: Final = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)

_log = logging.getLogger(__name__)


class Answered(NamedTuple):
    """One request that was answered: when, what, with which headers (lower case), and with which status."""

    time_ms: int
    path: str
    query: Query
    headers: dict[str, str]
    status: int


class MarketServer:
    """Serves `market` at `url` from `start()` to `stop()`; also a context manager.

    `faults` may be replaced while it runs; `clock` gives the present in UTC milliseconds. `plan` is one of local,
    keyless, demo-key, pro-key; with `cached` answers repeat within CoinGecko's cache windows.
    """

    def __init__(
        self,
        market: Market,
        *,
        faults: FaultPlan | None = None,
        plan: str = "local",
        port: int = 0,
        calls_per_minute: int | None = None,
        cached: bool = False,
        clock: Callable[[], int] = wall_clock_ms,
    ) -> None:
        self.faults = faults or FaultPlan()
        self.clock = clock
        self.api = MarketApi(Doorkeeper(plan, calls_per_minute), cached=cached)
        self.market = market
        self.requests: deque[Answered] = deque(maxlen=_REQUESTS_KEPT)
        self.stopping = threading.Event()
        self._http = _Listener(port, self)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), name="market", daemon=True)

    @property
    def url(self) -> str:
        """Base URL, ending as CoinGecko's does: `http://127.0.0.1:PORT/api/v3`."""
        return f"http://127.0.0.1:{self._http.server_address[1]}{_PREFIX}"

    def start(self) -> Self:
        """Answer from now on, in threads of its own."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Free the port at once, also while answers are under way."""
        self.stopping.set()
        if self._thread.is_alive():
            self._http.shutdown()
            self._thread.join()
        self._http.server_close()
        self._http.drop_connections()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_details: object) -> None:
        self.stop()


class _Listener(ThreadingHTTPServer):
    """Keeps its open connections, so that stopping does not wait for a client; can end one by a reset."""

    daemon_threads = True
    allow_reuse_address = os.name != "nt"

    def __init__(self, port: int, server: MarketServer) -> None:
        self.market_server = server
        self._connections: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remember the connection."""
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close; a connection that lingers for no time is reset by closing it without a farewell."""
        self._connections.discard(request)
        if request.fileno() >= 0 and request.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, len(_RESET)) == _RESET:
            self.close_request(request)
        else:
            super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no error of the server's."""
        del request
        gone = isinstance(sys.exception(), OSError)
        _log.log(logging.DEBUG if gone else logging.ERROR, "connection from %s ended", client_address, exc_info=True)

    def drop_connections(self) -> None:
        """End what is still open; the threads then end by themselves."""
        for connection in list(self._connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError as error:
                _log.debug("connection was already closed: %s", error)


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server_version = "cloudflare"
    sys_version = ""
    timeout = 120
    disable_nagle_algorithm = True
    server: _Listener

    def do_GET(self) -> None:
        """Answer, log, and do what the faults say."""
        owner = self.server.market_server
        now_ms = owner.clock()
        url = urlsplit(self.path)
        path, query = unquote(url.path), dict(parse_qsl(url.query, keep_blank_values=True))
        if path.startswith("/_"):
            self._send(self._report(path))
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(now_ms, path.removeprefix(_PREFIX), query, headers)
        hits = owner.faults.take(path, now_ms)
        reply = self._reply(asked, hits)
        owner.requests.append(Answered(now_ms, path, query, headers, reply.status))
        self._send(reply, {fault.kind: fault for fault, _ in hits if fault.kind in TRANSPORT_KINDS})

    def do_POST(self) -> None:
        """Take a new plan of faults; JSON alone, so that no page of a browser can send one."""
        owner = self.server.market_server
        length = self.headers.get("Content-Length", "")
        size = int(length) if length.isdecimal() else _LARGEST_PLAN + 1
        if size > _LARGEST_PLAN:
            self.close_connection = True
            self._send(refuse(413, "plan too large").reply)
            return
        body = self.rfile.read(size)
        if self.path != "/_faults" or not self.headers.get("Content-Type", "").startswith("application/json"):
            self._send(refuse(404, "not found").reply)
            return
        try:
            owner.faults = FaultPlan.from_json(json.loads(body))
        except (BadInput, ValueError) as error:
            self._send(refuse(422, str(error)).reply)
            return
        self._send(Reply(owner.faults.to_json()))

    def date_time_string(self, timestamp: float | None = None) -> str:
        """The Date header tells the time of this server's clock."""
        return super().date_time_string(self.server.market_server.clock() / 1000 if timestamp is None else timestamp)

    def log_message(self, format: str, *args: Any) -> None:
        """Requests go to the log of this module, at DEBUG."""
        _log.debug(format, *args)

    def _report(self, path: str) -> Reply:
        """The log and the plan, for callers on this machine; a page of a browser under another name is turned away."""
        owner = self.server.market_server
        if self.headers.get("Host", "").rpartition(":")[0] not in _OWN_NAMES:
            return refuse(403, "forbidden").reply
        if path == "/_requests":
            return Reply([asked._asdict() for asked in list(owner.requests)])
        return Reply(owner.faults.to_json()) if path == "/_faults" else refuse(404, "not found").reply

    def _reply(self, asked: Asked, hits: list[tuple[Fault, int]]) -> Reply:
        owner = self.server.market_server
        if len(self.path) > _LONGEST_URL:
            return html_page(414, "414 Request-URI Too Large")
        for fault, _ in hits:
            if (other := replace_answer(fault, asked.time_ms)) is not None:
                return other
        market = owner.market
        for fault, _ in hits:
            if fault.kind == "renamed":
                market = Renamed(market, fault.coins[0], fault.new_id)
        reply = owner.api.answer(market, asked, _shifts(market, hits, asked.time_ms))
        for fault, _ in hits:
            reply = spoil_content(fault, reply, asked)
        return reply

    def _send(self, reply: Reply, transport: dict[str, Fault] | None = None) -> None:
        transport = transport or {}
        body = reply.body()
        if "reset" in transport:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self.close_connection = True
            return
        headers = {"Content-Type": reply.content_type, **reply.headers}
        if reply.status == HTTPStatus.OK:
            headers["ETag"] = f'W/"{hashlib.blake2b(body, digest_size=16).hexdigest()}"'
        if "gzip_garbage" in transport:
            headers["Content-Encoding"], body = "gzip", b"\x1f\x8b\x08\x00" + body[::-1]
        elif len(body) >= _GZIP_FROM and "gzip" in self.headers.get("Accept-Encoding", ""):
            headers["Content-Encoding"], body = "gzip", gzip.compress(body, compresslevel=1)
        length = len(body) + (100 if "wrong_length" in transport else 0)
        self.send_response(reply.status)
        for name, value in {**headers, "Content-Length": str(length)}.items():
            self.send_header(name, value)
        self.end_headers()
        self._send_body(body, transport)

    def _send_body(self, body: bytes, transport: dict[str, Fault]) -> None:
        if "cut_body" in transport:
            body = body[: len(body) // 2]
        if transport.keys() & {"cut_body", "wrong_length"}:
            self.close_connection = True
        if slow := transport.get("slow_body"):
            middle = len(body) // 2
            self.wfile.write(body[:middle])
            self.server.market_server.stopping.wait(slow.delay_s)
            body = body[middle:]
        self.wfile.write(body)


def _shifts(market: Market, hits: list[tuple[Fault, int]], now_ms: int) -> Shifts:
    """How far each coin's quotes lag behind because of stale and frozen prices."""
    shifts: Shifts = {}
    for fault, first_ms in hits:
        if fault.kind in ("stale", "frozen"):
            lag_ms = int(fault.age_s * 1000) if fault.kind == "stale" else now_ms - first_ms
            shifts.update(dict.fromkeys(fault.coins or [coin.id for coin in market.coins], lag_ms))
    return shifts
