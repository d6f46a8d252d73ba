"""The local market server on its socket: CoinGecko's paths under /api/v3 by HTTP/1.1, on loopback alone."""

from __future__ import annotations

import gzip
import hashlib
import logging
import os
import socket
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Final, NamedTuple, Self
from urllib.parse import parse_qsl, unquote, urlsplit

from core.times import now_ms as wall_clock_ms
from etl.local_market.api import MarketApi, Request
from etl.local_market.market import Market
from etl.local_market.markets_page import Query
from etl.local_market.plans import PlanLimits
from etl.local_market.replies import Reply, edge_page

__all__ = ["LoggedRequest", "MarketServer", "RequestHandler"]

_PREFIX: Final = "/api/v3"
_MAX_URL_CHARS: Final = 8_000
_REQUESTS_KEPT: Final = 20_000
_GZIP_FROM_BYTES: Final = 1_000

_log = logging.getLogger(__name__)


class LoggedRequest(NamedTuple):
    """One answered request with its headers (names in lower case) and the status of the answer."""

    time_ms: int
    path: str
    query: Query
    headers: dict[str, str]
    status: int


class RequestHandler(BaseHTTPRequestHandler):
    """One connection. A subclass may give other answers (`answer`) or send them in another way (`send_bytes`)."""

    protocol_version = "HTTP/1.1"
    server_version = "cloudflare"
    sys_version = ""
    timeout = 120
    disable_nagle_algorithm = True
    server: _Listener

    @property
    def owner(self) -> MarketServer:
        """The server that this connection belongs to."""
        return self.server.market_server

    def do_GET(self) -> None:
        """Answer and log one request."""
        now_ms = self.owner.clock()
        url = urlsplit(self.path)
        path, query = unquote(url.path), dict(parse_qsl(url.query, keep_blank_values=True))
        headers = {name.lower(): value for name, value in self.headers.items()}
        reply = self._reply_to(Request(now_ms, path.removeprefix(_PREFIX), query, headers))
        self.owner.requests.append(LoggedRequest(now_ms, path, query, headers, reply.status))
        self._send(reply)

    def answer(self, request: Request) -> Reply:
        """The plan's refusal, or what the market has for the request."""
        api = self.owner.api
        return api.refusal(request) or api.content(self.owner.market, request)

    def send_head(self, status: int, headers: Mapping[str, str], length: int) -> None:
        """Send status and headers of a body of `length` bytes."""
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(length)}.items():
            self.send_header(name, value)
        self.end_headers()

    def send_bytes(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """Send a whole answer."""
        self.send_head(status, headers, len(body))
        self.wfile.write(body)

    def date_time_string(self, timestamp: float | None = None) -> str:
        """Take the Date header from this server's clock."""
        return super().date_time_string(self.owner.clock() / 1000 if timestamp is None else timestamp)

    def log_message(self, format: str, *args: Any) -> None:
        """Log requests in the log of this module, at DEBUG."""
        _log.debug(format, *args)

    def _reply_to(self, request: Request) -> Reply:
        if len(self.path) > _MAX_URL_CHARS:
            return edge_page(414, "414 Request-URI Too Large")
        return self.answer(request)

    def _send(self, reply: Reply) -> None:
        body = reply.body()
        headers = {"Content-Type": reply.content_type, **reply.headers}
        if reply.status == HTTPStatus.OK:
            headers["ETag"] = f'W/"{hashlib.blake2b(body, digest_size=16).hexdigest()}"'
        if len(body) >= _GZIP_FROM_BYTES and "gzip" in self.headers.get("Accept-Encoding", ""):
            headers["Content-Encoding"], body = "gzip", gzip.compress(body, compresslevel=1)
        self.send_bytes(reply.status, headers, body)


class MarketServer:
    """Serves `market` at `url` from `start()` to `stop()`; also a context manager.

    `clock` gives the present in UTC milliseconds. `plan` is one of local, keyless, demo-key, pro-key; with `cached`
    answers repeat within CoinGecko's cache windows. `requests` holds the latest requests.
    """

    handler: ClassVar[type[RequestHandler]] = RequestHandler

    def __init__(
        self,
        market: Market,
        *,
        plan: str = "local",
        port: int = 0,
        calls_per_minute: int | None = None,
        cached: bool = False,
        clock: Callable[[], int] = wall_clock_ms,
    ) -> None:
        self.clock = clock
        self.api = MarketApi(PlanLimits(plan, calls_per_minute), cached=cached)
        self.market = market
        self.requests: deque[LoggedRequest] = deque(maxlen=_REQUESTS_KEPT)
        self._http = _Listener(port, self)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), name="market", daemon=True)

    @property
    def url(self) -> str:
        """Base URL, ending as CoinGecko's does: `http://127.0.0.1:PORT/api/v3`."""
        return f"http://127.0.0.1:{self._http.server_address[1]}{_PREFIX}"

    def start(self) -> Self:
        """Start to answer, in other threads."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Free the port at once, also while answers are in progress."""
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
    """Tracks its open connections, so that a stop does not wait for clients."""

    daemon_threads = True
    allow_reuse_address = os.name != "nt"

    def __init__(self, port: int, server: MarketServer) -> None:
        self.market_server = server
        self._connections: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), server.handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Track the connection."""
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Stop to track the connection."""
        self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log an error of a connection; a client that has left is not the server's error."""
        del request
        gone = isinstance(sys.exception(), OSError)
        _log.log(logging.DEBUG if gone else logging.ERROR, "connection from %s ended", client_address, exc_info=True)

    def drop_connections(self) -> None:
        """Shut down the open connections, which ends their threads."""
        for connection in list(self._connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError as error:
                _log.debug("connection was already closed: %s", error)
