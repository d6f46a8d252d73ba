"""An HTTP proxy that tests put before a server, to break its answers."""

from __future__ import annotations

import http.client
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final, Self

__all__ = ["FaultyProxy"]

_SKEWED: Final = b"<Error><Code>RequestTimeTooSkewed</Code><Message>The difference is too large.</Message></Error>"
_OWN_HEADERS: Final = ("content-length", "transfer-encoding", "connection")
_PATIENCE_S: Final = 30.0


@dataclass
class FaultyProxy:
    """Passes requests on to a server of this machine, or breaks them as its attributes say; a context manager.

    Attributes:
        target: port of the server.
        status: answer all requests so instead of passing them on; 0: pass them on.
        delay_s: wait so long before each.
        cut: pass requests on, and end the connection instead of answering.
        skewed: refuse as S3 does where the client's clock is wrong.
        requests: method and path of each request.
    """

    target: int
    status: int = 0
    delay_s: float = 0.0
    cut: bool = False
    skewed: bool = False
    requests: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
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
        time.sleep(self.proxy.delay_s)
        if self.proxy.skewed:
            self._answer(403, {}, _SKEWED)
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
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Write nothing: tests read `requests`."""

    do_GET = do_PUT = do_POST = do_DELETE = _serve  # noqa: N815 - names of the standard library
