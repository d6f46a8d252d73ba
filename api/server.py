"""The API process, `python -m api.server`: serves the application of api.main with time limits.

uvicorn alone waits without limit for the end of a request and for the client to read the answer.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
from argparse import Namespace
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from api.main import create_app
from api.problems import PROBLEM_TYPE, Problem, ProblemCode, problem_body
from api.security import is_local, network
from core.errors import AlreadyRunning
from core.logs import RepeatFilter
from core.processes.command_line import CommandLine, run_command
from core.settings import Settings
from core.wording import message

__all__ = ["REQUEST_TIMEOUT_S", "RESPONSE_TIMEOUT_S", "TimeLimitedProtocol", "main"]

REQUEST_TIMEOUT_S: Final = 10.0
"""A whole request must arrive within this time of the connection or of the last answer."""

RESPONSE_TIMEOUT_S: Final = 60.0
"""After `REQUEST_TIMEOUT_S`, the client has this long to read the answer."""

_MAX_CONNECTIONS_PER_CLIENT: Final = 64
"""For clients on other machines; a browser needs six."""

_MAX_CONNECTIONS: Final = 768
_BACKLOG: Final = 64
"""Connections and backlog together stay below the usual limit of 1024 open files. Beyond it asyncio would log a failed
accept thousands of times per second, and no file could be read.
"""

_MALFORMED: Final = problem_body(Problem(ProblemCode.MALFORMED_REQUEST))


class TimeLimitedProtocol(H11Protocol):
    """A connection with request and response timeouts; it closes when the client exceeds them."""

    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # of TCP alone
        """Accept a client unless it, or all clients together, have too many connections."""
        super().connection_made(transport)
        self._restart_timer()
        if len(self.connections) > _MAX_CONNECTIONS or self._connections_of_client() > _MAX_CONNECTIONS_PER_CLIENT:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timer."""
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """Restart the timer for the next request."""
        self._restart_timer()
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse malformed HTTP with the API's own error body; uvicorn logs `msg`."""
        del msg
        headers = {"content-type": PROBLEM_TYPE, "content-length": str(len(_MALFORMED)), "connection": "close"}
        events = (
            h11.Response(status_code=400, headers=list(headers.items())),
            h11.Data(_MALFORMED),
            h11.EndOfMessage(),
        )
        for event in events:
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _connections_of_client(self) -> int:
        """Connections of the same client; 0 for this machine, which is not limited."""
        if self.client is None or is_local(self.client[0]):
            return 0
        others = (getattr(connection, "client", None) for connection in self.connections)
        return sum(network(client[0]) == network(self.client[0]) for client in others if client)

    def _restart_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.loop.call_later(REQUEST_TIMEOUT_S, self._on_timeout)

    def _on_timeout(self) -> None:
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()
        self._timer = self.loop.call_later(RESPONSE_TIMEOUT_S, self.transport.abort)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve at the host and port of the settings until a stop signal."""
    return run_command(CommandLine("api.server"), _serve, arguments)


def _serve(settings: Settings, _given: Namespace) -> int:
    """Serve on sockets that are bound before the application starts, so that a busy port touches no health file."""
    listeners = _bind(settings.host, settings.api_port)
    logging.getLogger("uvicorn.error").addFilter(RepeatFilter())  # each malformed request would write a line
    config = uvicorn.Config(
        create_app(settings),
        http=TimeLimitedProtocol,
        ws="none",
        backlog=_BACKLOG,
        timeout_graceful_shutdown=3,
        access_log=False,
        log_level="warning",
        use_colors=False,
    )
    with suppress(KeyboardInterrupt):  # uvicorn raises Ctrl+C again after it has shut down in order
        uvicorn.Server(config).run(sockets=listeners)
    return 0


def _bind(host: str, port: int) -> list[socket.socket]:
    """Sockets at every address of `host`.

    Raises:
        AlreadyRunning: another process listens there, or the address cannot be used now.
    """
    listeners: list[socket.socket] = []
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, protocol, _, address in dict.fromkeys(found):
            listeners.append(socket.socket(family, kind, protocol))
            if os.name != "nt":  # there the option would let two servers share a port
                listeners[-1].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listeners[-1].setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listeners[-1].bind(address)
    except OSError as error:
        for listener in listeners:
            listener.close()
        reason = error.strerror or str(error)
        raise AlreadyRunning(message("port.refused", host=host, port=port, reason=reason)) from error
    return listeners


if __name__ == "__main__":
    sys.exit(main())
