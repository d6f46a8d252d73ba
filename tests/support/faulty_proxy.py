"""An HTTP proxy that tests put before a server, to break its answers."""

from __future__ import annotations

import http.client
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final, Self

__all__ = ["FaultyProxy"]

_SKEWED: Final = b"<Error><Code>RequestTimeTooSkewed</Code><Message>The difference is too large.</Message></Error>"
_OWN_HEADERS: Final = ("content-length", "transfer-encoding", "connection")
_PATIENCE_S: Final = 30.0
_PIECE: Final = 4096


@dataclass
class FaultyProxy:
    """Passes requests on to a server of this machine, or breaks them as its attributes say; a context manager.

    Attributes:
        target: port of the server.
        status: answer all requests so instead of passing them on; 0: pass them on.
        storm: answer this share of all requests 503, at random.
        lost: break off requests whose method and path contain this, before the server has them.
        before: called before each request.
        delay_s: wait so long before each.
        bytes_s: pass on at most so many bytes a second, each way; 0: as quickly as they come.
        cut: pass requests on, and end the connection instead of answering.
        skewed: refuse as S3 does where the client's clock is wrong.
        requests: method and path of each request.
    """

    target: int
    status: int = 0
    storm: float = 0.0
    lost: str = ""
    before: Callable[[], object] = lambda: None
    delay_s: float = 0.0
    bytes_s: float = 0.0
    cut: bool = False
    skewed: bool = False
    requests: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.dice = random.Random(3)
        handler = type("Handler", (_Handler,), {"proxy": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """The port to ask instead of the server's."""
        return int(self._server.server_address[1])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    proxy: FaultyProxy

    def _serve(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.proxy.requests.append((self.command, self.path))
        self.proxy.before()
        time.sleep(self.proxy.delay_s)
        self._wait_for(content)
        if self.proxy.lost and self.proxy.lost in f"{self.command} {self.path}":
            self.close_connection = True
        elif self.proxy.skewed:
            self._answer(403, {}, _SKEWED)
        elif self.proxy.dice.random() < self.proxy.storm:
            self._answer(503, {}, b"")
        elif self.proxy.status:
            self._answer(self.proxy.status, {}, b"")
        else:
            self._pass_on(content)

    def _pass_on(self, content: bytes) -> None:
        server = http.client.HTTPConnection("127.0.0.1", self.proxy.target, timeout=_PATIENCE_S)
        try:
            server.request(self.command, self.path, content or None, dict(self.headers))
            reply = server.getresponse()
            body = reply.read()
        except (OSError, http.client.HTTPException):
            self.close_connection = True
            return
        finally:
            server.close()
        if self.proxy.cut:
            self.close_connection = True
        else:
            self._answer(reply.status, dict(reply.getheaders()), body)

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in _OWN_HEADERS:
                self.send_header(name, value)
        if status not in (204, 304):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        for start in range(0, len(body), _PIECE):
            piece = body[start : start + _PIECE]
            self._wait_for(piece)
            self.wfile.write(piece)

    def _wait_for(self, content: bytes) -> None:
        """Take as long as these bytes take."""
        if self.proxy.bytes_s:
            time.sleep(len(content) / self.proxy.bytes_s)

    def log_message(self, *_: object) -> None:
        """Write nothing: tests read `requests`."""

    do_GET = do_PUT = do_POST = do_DELETE = _serve  # noqa: N815 - names of the standard library
